import { contentType } from '../uploads/file-types'
import { modifiedAt } from '../uploads/modified-at'
import { sha256 } from '../uploads/sha256'
import { Api, type Reserved } from './api'
import { isTemporary, UploadError } from './errors'
import { sendInParts } from './parts'
import { Reservations } from './reservations'
import { retry } from './retry'
import { sendWhole } from './send'

export { UploadError }

/** A photo, as the API returns it; see `PhotoView` in the API's documentation for all fields. */
export interface Photo {
  id: number
  photo_url: string
  title: string
  description: string
  filename: string
  width: number
  height: number
  [field: string]: unknown
}

/**
 * - `waiting`: for its turn
 * - `sending`: its bytes
 * - `checking`: all bytes are sent, and the server makes a photo of them
 * - `paused`, `done`, `failed`, `cancelled`
 */
export type UploadState =
  'waiting' | 'sending' | 'checking' | 'paused' | 'done' | 'failed' | 'cancelled'

/** The upload of one file; the uploader changes it. Sizes are in bytes. */
export interface Upload {
  readonly file: File
  readonly title: string
  readonly description: string
  state: UploadState
  sent: number
  /** Once it is done. */
  photo?: Photo
  /** Once it is done: whether the photo is new. False if the owner had the same bytes. */
  isNew?: boolean
  /** Once it has failed. */
  error?: UploadError
}

/** `change` comes with every new state, and with `progress`. */
export interface UploadEvents {
  change: CustomEvent<Upload>
  progress: CustomEvent<Upload>
  success: CustomEvent<Upload & { photo: Photo }>
  failure: CustomEvent<Upload & { error: UploadError }>
}

export interface UploaderOptions {
  /** The URL of the router; by default, the folder of this module. */
  api?: string
  /** Headers of the requests to the router, such as `Authorization`. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>
  /** Files that are sent at the same time; 2 by default. */
  parallel?: number
  /** How often a request is repeated after a failure that may pass; 5 by default. */
  retries?: number
  /** Whether a large file that is added again after a reload continues; true by default. */
  resume?: boolean
}

interface Job {
  controller: AbortController
  resolve: (photo: Photo) => void
  reject: (error: UploadError) => void
}

/** Uploads files to Safelight, straight to its store. */
export class Uploader extends EventTarget {
  readonly uploads: Upload[] = []
  #api: Api
  #jobs = new Map<Upload, Job>()
  #reservations: Reservations
  #parallel: number
  #retries: number
  #resume: boolean

  constructor(options: UploaderOptions = {}) {
    super()
    const { api = new URL(/* @vite-ignore */ '.', import.meta.url).href, headers = () => ({}) } =
      options
    this.#api = new Api(api.replace(/\/$/, ''), headers)
    this.#reservations = new Reservations(this.#api.url)
    this.#parallel = options.parallel ?? 2
    this.#retries = options.retries ?? 5
    this.#resume = options.resume ?? true
  }

  /** Call a function for each event of a type. Return a function that ends that. */
  on<Type extends keyof UploadEvents>(
    type: Type,
    listener: (event: UploadEvents[Type]) => void,
  ): () => void {
    this.addEventListener(type, listener as EventListener)
    return () => this.removeEventListener(type, listener as EventListener)
  }

  /** Upload a file. Return its photo, or throw UploadError. */
  upload(file: File, { title = '', description = '' } = {}): Promise<Photo> {
    const upload: Upload = { file, title, description, state: 'waiting', sent: 0 }
    this.uploads.push(upload)
    return this.#enqueue(upload)
  }

  /** Upload several files, such as an input's; events report the outcome of each. */
  add(files: Iterable<File>): Upload[] {
    return Array.from(files, (file) => {
      this.upload(file).catch(() => {})
      return this.uploads.at(-1) as Upload
    })
  }

  /** Stop sending, until `resume`. */
  pause(upload: Upload): void {
    if (upload.state === 'waiting' || upload.state === 'sending') this.#stop(upload, 'paused')
  }

  /** Continue a paused upload, or try a failed one again: of a large file, the missing parts. */
  resume(upload: Upload): void {
    if (upload.state !== 'paused' && upload.state !== 'failed') return
    delete upload.error
    const job = this.#jobs.get(upload)
    if (job) {
      job.controller = new AbortController()
      this.#change(upload, 'waiting')
      this.#startNext()
    } else this.#enqueue(upload).catch(() => {})
  }

  /** End an upload; what was sent is deleted. */
  cancel(upload: Upload): void {
    if (upload.state === 'done' || upload.state === 'cancelled') return
    const job = this.#jobs.get(upload)
    this.#stop(upload, 'cancelled')
    this.#jobs.delete(upload)
    const reserved = this.#reservations.get(upload)
    if (reserved) this.#api.abort(reserved.id)
    this.#reservations.remove(upload)
    job?.reject(new UploadError('cancelled', 'The upload was cancelled.'))
  }

  #enqueue(upload: Upload): Promise<Photo> {
    return new Promise((resolve, reject) => {
      this.#jobs.set(upload, { controller: new AbortController(), resolve, reject })
      this.#change(upload, 'waiting')
      this.#startNext()
    })
  }

  #startNext(): void {
    const active = this.uploads.filter(({ state }) => state === 'sending' || state === 'checking')
    const next = this.uploads.find(({ state }) => state === 'waiting')
    if (!next || active.length >= this.#parallel) return
    void this.#run(next)
    this.#startNext()
  }

  async #run(upload: Upload): Promise<void> {
    const job = this.#jobs.get(upload) as Job
    const { signal } = job.controller
    this.#change(upload, 'sending')
    try {
      const { photo, isNew } = await this.#send(upload, signal)
      Object.assign(upload, { photo, isNew, sent: upload.file.size })
      this.#jobs.delete(upload)
      this.#reservations.remove(upload)
      this.#change(upload, 'done')
      this.#dispatch('success', upload)
      job.resolve(photo)
    } catch (error) {
      if (!signal.aborted) {
        upload.error = UploadError.from(error)
        this.#jobs.delete(upload)
        this.#change(upload, 'failed')
        this.#dispatch('failure', upload)
        job.reject(upload.error)
      }
    }
    this.#startNext()
  }

  async #send(upload: Upload, signal: AbortSignal): Promise<{ photo: Photo; isNew: boolean }> {
    const { file } = upload
    const progress = (sent: number): void => {
      upload.sent = sent
      this.#dispatch('progress', upload)
      this.#dispatch('change', upload)
    }
    for (let attempt = 0; ; attempt++) {
      const reserved = await this.#reserve(upload, signal)
      if ('photo' in reserved) return { photo: reserved.photo as Photo, isNew: false }
      this.#reservations.set(upload, reserved)
      try {
        if ('parts' in reserved) {
          const save = (s3UploadId: string): void => {
            if (this.#resume) this.#reservations.save(upload, { ...reserved, s3UploadId })
          }
          await retry(
            this.#retries,
            () => sendInParts(this.#api, reserved, file, { progress, signal, save }),
            signal,
          )
        } else
          await retry(this.#retries, () => sendWhole(reserved, file, { progress, signal }), signal)
        this.#change(upload, 'checking')
        const { photo, isNew } = await retry(
          this.#retries,
          () => this.#api.complete(reserved.id, signal),
          signal,
        )
        return { photo: photo as Photo, isNew }
      } catch (error) {
        // The reservation has ended, or its signature: what was sent is gone, so start again.
        const ended = error instanceof UploadError && ['not_found', 'expired'].includes(error.code)
        if (!signal.aborted && !isTemporary(error)) this.#reservations.remove(upload)
        if (!ended || attempt >= 1) throw error
      }
    }
  }

  async #reserve(upload: Upload, signal: AbortSignal): Promise<Reserved> {
    const known = this.#reservations.get(upload) ?? this.#reservations.saved(upload)
    if (known) return known
    const { file, title, description } = upload
    const [hash, modified] = [await sha256(file), modifiedAt(file)]
    const request = {
      ...{ filename: file.name, content_type: contentType(file), size: file.size },
      ...{ title, description },
      ...(hash ? { sha256: hash } : {}),
      ...(modified ? { modified_at: modified } : {}),
    }
    return retry(this.#retries, () => this.#api.reserve(request, signal), signal)
  }

  #stop(upload: Upload, state: UploadState): void {
    this.#jobs.get(upload)?.controller.abort()
    this.#change(upload, state)
    this.#startNext()
  }

  #change(upload: Upload, state: UploadState): void {
    upload.state = state
    this.#dispatch('change', upload)
  }

  #dispatch(type: keyof UploadEvents, upload: Upload): void {
    this.dispatchEvent(new CustomEvent(type, { detail: upload }))
  }
}
