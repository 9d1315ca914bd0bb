import AwsS3 from '@uppy/aws-s3'
import Uppy, { type Body, type Meta } from '@uppy/core'
import { giveUp, type Operation, type Permit, type Reservation, reserve, sign } from './reservation'

interface Job {
  reservation: Reservation
  file: File
  signal: AbortSignal
  uploadId?: string
  onProgress: (sent: number) => void
  resolve: () => void
  reject: (error: Error) => void
  /** When bytes moved last. */
  moved: number
  paused: boolean
  dropped?: boolean
}

const SILENCE = 15_000
const NEARLY_OVER = 20_000
/** Browsers set these by themselves, and let no program do it. */
const FORBIDDEN = new Set(['host', 'content-length'])

const quiet = { debug: () => {}, warn: () => {}, error: () => {} }

/** Sends files to the store, by Uppy. A file is known by a key of our own, also after it went. */
export class Transport {
  #uppy: Uppy<Meta, Body>
  #jobs = new Map<string, Job>()
  #partSizes = new Map<number, number>()

  constructor(limit: number) {
    this.#uppy = new Uppy<Meta, Body>({ logger: quiet, allowMultipleUploadBatches: true })
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
      job.moved = Date.now()
      job.onProgress(bytesUploaded || 0)
    })
    this.#uppy.on('upload-success', (file) => {
      if (file) this.#jobs.get(file.id)?.resolve()
    })
    this.#uppy.on('upload-error', (file, error) => {
      if (file) this.#jobs.get(file.id)?.reject(error)
    })
    setInterval(() => this.#watch(), 2_000)
  }

  /** Send a file; gives the id by which to send again, pause and drop it. */
  begin(
    file: File,
    reservation: Reservation,
    signal: AbortSignal,
    onProgress: (sent: number) => void,
  ): { id: string; over: Promise<void> } {
    if ('parts' in reservation) this.#partSizes.set(file.size, reservation.part_size)
    const id = this.#uppy.addFile({ name: reservation.id, type: file.type, data: file })
    const job = { reservation, file, signal, onProgress, moved: Date.now(), paused: false } as Job
    this.#jobs.set(id, job)
    const over = this.#promise(job)
    void this.#uppy.upload().catch(() => {})
    return { id, over }
  }

  /** Send again what failed: of an upload in parts, those that aren't there. */
  again(id: string): Promise<void> {
    const job = this.#jobs.get(id)
    if (!job) return Promise.reject(new Error('there is no such upload'))
    job.moved = Date.now()
    const over = this.#promise(job)
    void this.#uppy.retryUpload(id).catch(() => {})
    return over
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
    job.moved = Date.now()
    this.#uppy.pauseResume(id)
  }

  /** Stop what is under way, and begin again where it stopped. */
  kick(id: string): void {
    const job = this.#jobs.get(id)
    if (!job || job.paused || !this.#uppy.getFile(id)) return
    job.moved = Date.now()
    this.#uppy.pauseResume(id)
    this.#uppy.pauseResume(id)
  }

  /** The reservation's id; it may be another than at first. */
  reservationOf(id: string): string | undefined {
    return this.#jobs.get(id)?.reservation.id
  }

  /** Forget a file that was sent. */
  finish(id: string): void {
    if (this.#uppy.getFile(id)) this.#uppy.removeFile(id)
    this.#jobs.delete(id)
  }

  /** Stop sending, and have everything that was sent removed. */
  drop(id: string): void {
    const job = this.#jobs.get(id)
    if (!job || job.dropped) return
    job.dropped = true
    const inParts = job.uploadId !== undefined
    // Uppy asks for the abort's signature after it forgot the file; the job is still here then.
    if (this.#uppy.getFile(id)) this.#uppy.removeFile(id)
    const forget = () => {
      this.#jobs.delete(id)
      giveUp(job.reservation.id)
    }
    if (inParts) setTimeout(forget, 1_500)
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
    if (method === 'PUT' && !uploadId) return sendable(await this.#put(job))
    const operation = operationOf(method, uploadId, partNumber)
    const permit = await sign(job.reservation.id, operation, {
      ...(uploadId ? { upload_id: uploadId } : {}),
      ...(partNumber ? { part_number: partNumber } : {}),
    })
    job.moved = Date.now()
    return sendable(permit)
  }

  /** The permit to send it at once; a second one only by another reservation. */
  async #put(job: Job): Promise<Permit> {
    const { reservation } = job
    if ('url' in reservation && Date.parse(reservation.expires_at) - Date.now() > NEARLY_OVER) {
      return reservation
    }
    giveUp(reservation.id)
    const anew = await reserve(job.file, job.signal)
    if ('photo' in anew || !('url' in anew.reservation)) throw new Error('it is there already')
    job.reservation = anew.reservation
    return anew.reservation
  }

  /** A connection that stalls tells nobody: begin again where it stopped. */
  #watch(): void {
    for (const [id, job] of this.#jobs) {
      const file = this.#uppy.getFile(id)
      if (job.paused || !navigator.onLine || !file?.progress.uploadStarted || file.error) continue
      if (file.progress.uploadComplete || Date.now() - job.moved < SILENCE) continue
      this.kick(id)
    }
  }
}

function operationOf(method: string, uploadId?: string, partNumber?: number): Operation {
  if (!uploadId) return 'create'
  if (partNumber) return 'part'
  return method === 'GET' ? 'list' : method === 'DELETE' ? 'abort' : 'complete'
}

function sendable({ url, headers }: Permit): { url: string; headers: Record<string, string> } {
  const allowed = Object.entries(headers).filter(([name]) => !FORBIDDEN.has(name.toLowerCase()))
  return { url, headers: Object.fromEntries(allowed) }
}
