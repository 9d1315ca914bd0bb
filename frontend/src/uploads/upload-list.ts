import { type Photo, Problem, reasonOf, Unreachable } from '../api-later'
import { Observable } from '../observable'
import { texts } from '../texts-later'
import { abort, complete, reserve } from './reservation'
import { Transport } from './transport'
import { isActive, isFinished, type State, type Upload } from './upload'

const MAX_CONCURRENT = 4
const MAX_ATTEMPTS = 6
const MAX_BACKOFF = 30_000
const NOTIFY_INTERVAL = 100
const RATE_INTERVAL = 500
/** Problems with the file itself, which another attempt cannot solve. */
const FILE_PROBLEMS = new Set([
  'too_large',
  'unsupported_type',
  'empty_file',
  'corrupt_image',
  'too_many_pixels',
  'too_many_frames',
])

/** What belongs to an active upload. */
interface Run {
  controller: AbortController
  /** The transport's id, once sending has started. */
  id?: string
  /** Ends the backoff, if there is one. */
  wake?: () => void
}

/** The uploads of this page: a few run at once, the others wait. */
export class UploadList extends Observable {
  uploads: Upload[] = []
  /** How many files are not photos, and were not uploaded. */
  leftOut = 0
  #transport = new Transport(MAX_CONCURRENT)
  #runs = new Map<Upload, Run>()
  #lastKey = 0
  #notifyTimer = 0
  #measured = new Map<Upload, number>()

  constructor(readonly onPhoto: (photo: Photo) => void) {
    super()
    setInterval(() => this.#measureRates(), RATE_INTERVAL)
    addEventListener('beforeunload', (event) => {
      if (this.isBusy) event.preventDefault()
    })
    addEventListener('offline', () => {
      for (const upload of this.#runs.keys()) {
        if (upload.state === 'sending') this.#setState(upload, 'stalled')
      }
    })
    addEventListener('online', () => {
      for (const [upload, run] of this.#runs) {
        if (run.wake) run.wake()
        // A request that was active when the network went away may never report an error.
        else if (run.id && upload.state === 'stalled') this.#transport.restart(run.id)
      }
    })
  }

  get isBusy(): boolean {
    return this.unfinished > 0
  }

  get unfinished(): number {
    return this.uploads.filter((upload) => !isFinished(upload)).length
  }

  add(files: File[], leftOut: number): void {
    this.leftOut += leftOut
    for (const file of files) {
      const key = ++this.#lastKey
      this.uploads.push({
        ...{ key, file, state: 'waiting', sent: 0, rate: 0 },
        ...{ reason: '', retryable: true },
      })
    }
    this.#startWaiting()
    this.#notifySoon()
  }

  cancel(upload: Upload): void {
    this.uploads = this.uploads.filter((other) => other !== upload)
    const run = this.#runs.get(upload)
    if (run) {
      run.controller.abort()
      if (run.id) this.#transport.cancel(run.id)
      run.wake?.()
    }
    this.#startWaiting()
    this.#notifySoon()
  }

  cancelAll(): void {
    for (const upload of this.uploads.filter((upload) => !isFinished(upload))) this.cancel(upload)
  }

  retry(upload: Upload): void {
    upload.reason = ''
    upload.sent = 0
    upload.state = 'waiting'
    this.#startWaiting()
    this.#notifySoon()
  }

  pause(upload: Upload, paused: boolean): void {
    const id = this.#runs.get(upload)?.id
    if (!id || (upload.state !== 'sending' && upload.state !== 'paused')) return
    this.#transport.pause(id, paused)
    this.#setState(upload, paused ? 'paused' : 'sending')
  }

  /** Remove finished uploads from the list. */
  clear(): void {
    this.uploads = this.uploads.filter((upload) => !isFinished(upload))
    this.leftOut = 0
    this.#notifySoon()
  }

  #startWaiting(): void {
    const waiting = this.uploads.filter(({ state }) => state === 'waiting')
    const free = MAX_CONCURRENT - this.uploads.filter(isActive).length
    for (const upload of waiting.slice(0, Math.max(0, free))) void this.#run(upload)
  }

  async #run(upload: Upload): Promise<void> {
    const run: Run = { controller: new AbortController() }
    this.#runs.set(upload, run)
    try {
      await this.#runWithRetries(upload, run)
    } catch (error) {
      if (!run.controller.signal.aborted) this.#fail(upload, error as Error)
      if (run.id && upload.state === 'refused') this.#transport.forget(run.id)
      else if (run.id) this.#transport.cancel(run.id)
    }
    this.#runs.delete(upload)
    this.#startWaiting()
    this.#notifySoon()
  }

  async #runWithRetries(upload: Upload, run: Run): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const before = upload.sent
      try {
        await this.#attempt(upload, run)
        return
      } catch (error) {
        if (run.controller.signal.aborted || !isTemporary(error as Error)) throw error
        if (upload.sent > before) attempt = 1
        // A browser without any network may reach a server on its own machine, so this goes on.
        if (attempt >= MAX_ATTEMPTS && navigator.onLine) throw error
        this.#setState(upload, 'stalled')
        await this.#backOff(error as Error, attempt, run)
      }
    }
  }

  async #attempt(upload: Upload, run: Run): Promise<void> {
    const { signal } = run.controller
    try {
      if (run.id) {
        this.#setState(upload, 'sending')
        await this.#transport.retry(run.id)
      } else {
        this.#setState(upload, 'reserving')
        const reserved = await reserve(upload.file, signal)
        if ('photo' in reserved) {
          this.#succeed(upload, reserved.photo, false)
          return
        }
        if (signal.aborted) {
          abort(reserved.reservation.id)
          return
        }
        const started = this.#transport.start(upload.file, reserved.reservation, signal, (sent) => {
          upload.sent = sent
          // Whatever the browser says of the network, this has arrived.
          if (upload.state === 'stalled') upload.state = 'sending'
          this.#notifySoon()
        })
        run.id = started.id
        this.#setState(upload, 'sending')
        await started.sent
      }
    } catch (error) {
      if (run.id && isLost(error as Error)) {
        // The store or the server has no such upload any more: start over.
        this.#transport.cancel(run.id)
        delete run.id
      }
      throw error
    }
    await this.#complete(upload, run)
  }

  async #complete(upload: Upload, run: Run): Promise<void> {
    const id = run.id && this.#transport.reservationOf(run.id)
    if (!id || !run.id) return
    upload.sent = upload.file.size
    for (let attempt = 1; ; attempt++) {
      this.#setState(upload, 'checking')
      try {
        const { photo, isNew } = await complete(id, run.controller.signal)
        this.#transport.forget(run.id)
        this.#succeed(upload, photo, isNew)
        return
      } catch (error) {
        // The bytes are in the store: retry this request only.
        const temporary =
          error instanceof Unreachable || (error instanceof Problem && error.isTemporary)
        if (run.controller.signal.aborted || !temporary || attempt >= MAX_ATTEMPTS) throw error
        this.#setState(upload, 'stalled')
        await this.#backOff(error, attempt, run)
      }
    }
  }

  #succeed(upload: Upload, photo: Photo, isNew: boolean): void {
    upload.photo = photo
    upload.sent = upload.file.size
    this.#setState(upload, isNew ? 'done' : 'duplicate')
    this.onPhoto(photo)
  }

  /** Wait before the next attempt; less if the network comes back. */
  #backOff(error: Error, attempt: number, run: Run): Promise<void> {
    const retryAfter = error instanceof Problem ? error.retryAfter : 0
    const wait = Math.max(retryAfter, Math.min(MAX_BACKOFF, 700 * 2 ** attempt))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => run.wake?.(), wait)
      run.wake = () => {
        clearTimeout(timer)
        delete run.wake
        if (run.controller.signal.aborted) reject(error)
        else resolve()
      }
    })
  }

  #fail(upload: Upload, error: Error): void {
    upload.reason = /^S3/.test(error.name) ? texts.storeUnreachable : reasonOf(error)
    upload.retryable = !(error instanceof Problem && FILE_PROBLEMS.has(error.code))
    this.#setState(upload, error instanceof Problem && !error.isTemporary ? 'refused' : 'failed')
  }

  #setState(upload: Upload, state: State): void {
    upload.state = state
    if (state !== 'sending') upload.rate = 0
    this.#notifySoon()
  }

  #measureRates(): void {
    let changed = false
    for (const upload of this.#runs.keys()) {
      if (upload.state !== 'sending') continue
      const sent = Math.max(0, upload.sent - (this.#measured.get(upload) ?? 0))
      const rate = (sent * 1_000) / RATE_INTERVAL
      upload.rate = upload.rate ? upload.rate * 0.7 + rate * 0.3 : rate
      this.#measured.set(upload, upload.sent)
      changed = true
    }
    if (this.#measured.size > 2 * MAX_CONCURRENT) this.#measured.clear()
    if (changed) this.#notifySoon()
  }

  #notifySoon(): void {
    if (this.#notifyTimer) return
    this.#notifyTimer = window.setTimeout(() => {
      this.#notifyTimer = 0
      this.notify()
    }, NOTIFY_INTERVAL)
  }
}

/** Whether the same upload may succeed a little later. */
function isTemporary(error: Error): boolean {
  if (error instanceof Problem) return error.isTemporary || isLost(error)
  return error.name !== 'AbortError'
}

function isLost(error: Error): boolean {
  const status = (error as { status?: number }).status
  if (error instanceof Problem) return error.code === 'upload_incomplete' || status === 404
  return status === 404
}
