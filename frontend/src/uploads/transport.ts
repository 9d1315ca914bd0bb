import AwsS3 from '@uppy/aws-s3'
import Uppy, { type Body, type Meta } from '@uppy/core'
import {
  abort,
  type Operation,
  type PresignedRequest,
  type Reservation,
  reserve,
  sign,
} from './reservation'

interface Job {
  reservation: Reservation
  file: File
  signal: AbortSignal
  uploadId?: string
  onProgress: (sent: number) => void
  resolve: () => void
  reject: (error: Error) => void
  /** When bytes were last sent. */
  lastProgress: number
  paused: boolean
  cancelled?: boolean
}

const STALL_TIMEOUT = 15_000
/** A presigned request with less time than this left is not used. */
const MIN_VALIDITY = 20_000
/** How long Uppy may take to abort a multipart upload before we forget its signature. */
const ABORT_DELAY = 1_500
/** Headers that browsers set, and scripts may not. */
const FORBIDDEN_HEADERS = new Set(['host', 'content-length'])

const silentLogger = { debug: () => {}, warn: () => {}, error: () => {} }

/** Sends files to the store with Uppy. Jobs are known by Uppy's file id. */
export class Transport {
  #uppy: Uppy<Meta, Body>
  #jobs = new Map<string, Job>()
  #partSizes = new Map<number, number>()

  constructor(limit: number) {
    this.#uppy = new Uppy<Meta, Body>({ logger: silentLogger, allowMultipleUploadBatches: true })
    this.#uppy.use(AwsS3, {
      limit,
      generateObjectKey: (file) => file.id,
      shouldUseMultipart: (file) => 'parts' in (this.#jobs.get(file.id)?.reservation ?? {}),
      getChunkSize: ({ size }) => this.#partSizes.get(size) ?? 8 * 1024 * 1024,
      signRequest: (request) => this.#sign(request),
    })
    this.#uppy.on('upload-progress', (file, { bytesUploaded }) => {
      const job = file && this.#jobs.get(file.id)
      if (!job) return
      job.lastProgress = Date.now()
      job.onProgress(bytesUploaded || 0)
    })
    this.#uppy.on('upload-success', (file) => {
      if (file) this.#jobs.get(file.id)?.resolve()
    })
    this.#uppy.on('upload-error', (file, error) => {
      if (file) this.#jobs.get(file.id)?.reject(error)
    })
    setInterval(() => this.#restartStalled(), 2_000)
  }

  /** Send a file. Return the job's id, and a promise that resolves when all bytes are sent. */
  start(
    file: File,
    reservation: Reservation,
    signal: AbortSignal,
    onProgress: (sent: number) => void,
  ): { id: string; sent: Promise<void> } {
    if ('parts' in reservation) this.#partSizes.set(file.size, reservation.part_size)
    const id = this.#uppy.addFile({ name: reservation.id, type: file.type, data: file })
    const job = {
      ...{ reservation, file, signal, onProgress },
      ...{ lastProgress: Date.now(), paused: false },
    } as Job
    this.#jobs.set(id, job)
    const sent = this.#promise(job)
    void this.#uppy.upload().catch(() => {})
    return { id, sent }
  }

  /** Send a failed file again; of a multipart upload, the missing parts only. */
  retry(id: string): Promise<void> {
    const job = this.#jobs.get(id)
    if (!job) return Promise.reject(new Error('Unknown upload'))
    job.lastProgress = Date.now()
    const sent = this.#promise(job)
    void this.#uppy.retryUpload(id).catch(() => {})
    return sent
  }

  #promise(job: Job): Promise<void> {
    return new Promise((resolve, reject) => {
      job.resolve = resolve
      job.reject = reject
    })
  }

  pause(id: string, paused: boolean): void {
    const job = this.#jobs.get(id)
    if (!job || job.paused === paused) return
    job.paused = paused
    job.lastProgress = Date.now()
    this.#uppy.pauseResume(id)
  }

  /** Stop the active requests, and continue from the last finished part. */
  restart(id: string): void {
    const job = this.#jobs.get(id)
    if (!job || job.paused || !this.#uppy.getFile(id)) return
    job.lastProgress = Date.now()
    this.#uppy.pauseResume(id)
    this.#uppy.pauseResume(id)
  }

  /** Return the current reservation's id. An expired reservation is replaced by another one. */
  reservationOf(id: string): string | undefined {
    return this.#jobs.get(id)?.reservation.id
  }

  /** Remove a finished job. */
  forget(id: string): void {
    if (this.#uppy.getFile(id)) this.#uppy.removeFile(id)
    this.#jobs.delete(id)
  }

  /** Stop sending, and remove what was sent from the store. */
  cancel(id: string): void {
    const job = this.#jobs.get(id)
    if (!job || job.cancelled) return
    job.cancelled = true
    const isMultipart = job.uploadId !== undefined
    // Uppy requests the abort's signature after removing the file: keep the job until then.
    if (this.#uppy.getFile(id)) this.#uppy.removeFile(id)
    const forget = () => {
      this.#jobs.delete(id)
      abort(job.reservation.id)
    }
    if (isMultipart) setTimeout(forget, ABORT_DELAY)
    else forget()
    job.reject(new DOMException('Cancelled', 'AbortError'))
  }

  async #sign(request: {
    method: string
    key: string
    uploadId?: string
    partNumber?: number
  }): Promise<{ url: string; headers: Record<string, string> }> {
    const { method, key, uploadId, partNumber } = request
    const job = this.#jobs.get(key)
    if (!job) throw new DOMException('Cancelled', 'AbortError')
    if (uploadId) job.uploadId = uploadId
    if (method === 'PUT' && !uploadId) return allowedHeaders(await this.#put(job))
    const operation = operationOf(method, uploadId, partNumber)
    const presigned = await sign(job.reservation.id, operation, {
      ...(uploadId ? { upload_id: uploadId } : {}),
      ...(partNumber ? { part_number: partNumber } : {}),
    })
    job.lastProgress = Date.now()
    return allowedHeaders(presigned)
  }

  /** Return the presigned PUT of the reservation; of a new one if it is about to expire. */
  async #put(job: Job): Promise<PresignedRequest> {
    const { reservation } = job
    if ('url' in reservation && Date.parse(reservation.expires_at) - Date.now() > MIN_VALIDITY) {
      return reservation
    }
    abort(reservation.id)
    const renewed = await reserve(job.file, job.signal)
    if ('photo' in renewed || !('url' in renewed.reservation)) throw new Error('Already uploaded')
    job.reservation = renewed.reservation
    return renewed.reservation
  }

  /** Restart the jobs that make no progress: a stalled connection raises no error. */
  #restartStalled(): void {
    for (const [id, job] of this.#jobs) {
      const file = this.#uppy.getFile(id)
      if (job.paused || !file?.progress.uploadStarted || file.error) continue
      if (file.progress.uploadComplete || Date.now() - job.lastProgress < STALL_TIMEOUT) continue
      this.restart(id)
    }
  }
}

function operationOf(method: string, uploadId?: string, partNumber?: number): Operation {
  if (!uploadId) return 'create'
  if (partNumber) return 'part'
  return method === 'GET' ? 'list' : method === 'DELETE' ? 'abort' : 'complete'
}

function allowedHeaders({ url, headers }: PresignedRequest): {
  url: string
  headers: Record<string, string>
} {
  const allowed = Object.entries(headers).filter(
    ([name]) => !FORBIDDEN_HEADERS.has(name.toLowerCase()),
  )
  return { url, headers: Object.fromEntries(allowed) }
}
