import { type Photo, Problem, Unreachable } from '../api'
import { texts } from '../texts'
import { Topic } from '../topic'
import { complete, giveUp, reserve } from './reservation'
import { Transport } from './Transport'
import { isOver, isUnderWay, type State, type Upload } from './Upload'

const AT_ONCE = 4
const ATTEMPTS = 6
const LONGEST_WAIT = 30_000

interface Hold {
  abort: AbortController
  /** By which the transport knows it, once it is being sent. */
  id?: string
  wake?: () => void
}

/** The files on their way to being photos: some at once, the others in a queue. */
export class UploadList extends Topic {
  uploads: Upload[] = []
  #transport = new Transport(AT_ONCE)
  #holds = new Map<Upload, Hold>()
  #keys = 0
  #told = 0

  constructor(readonly onPhoto: (photo: Photo) => void) {
    super()
    setInterval(() => this.#measure(), 500)
    addEventListener('beforeunload', (event) => {
      if (this.isBusy) event.preventDefault()
    })
    addEventListener('offline', () => {
      for (const upload of this.#holds.keys()) {
        if (upload.state === 'sending') this.#turn(upload, 'stalled')
      }
    })
    addEventListener('online', () => {
      for (const [upload, hold] of this.#holds) this.#goOn(upload, hold)
    })
  }

  get isBusy(): boolean {
    return this.uploads.some((upload) => !isOver(upload))
  }

  add(files: File[]): void {
    for (const file of files) {
      const key = ++this.#keys
      this.uploads.push({ key, file, state: 'waiting', sent: 0, rate: 0, reason: '' })
    }
    this.#pump()
    this.#soon()
  }

  cancel(upload: Upload): void {
    this.uploads = this.uploads.filter((each) => each !== upload)
    const hold = this.#holds.get(upload)
    if (hold) {
      hold.abort.abort()
      if (hold.id) this.#transport.drop(hold.id)
      hold.wake?.()
    }
    this.#pump()
    this.#soon()
  }

  cancelAll(): void {
    for (const upload of this.uploads.filter((each) => !isOver(each))) this.cancel(upload)
  }

  retry(upload: Upload): void {
    upload.reason = ''
    upload.sent = 0
    upload.state = 'waiting'
    this.#pump()
    this.#soon()
  }

  pause(upload: Upload, paused: boolean): void {
    const id = this.#holds.get(upload)?.id
    if (!id || (upload.state !== 'sending' && upload.state !== 'paused')) return
    this.#transport.pause(id, paused)
    this.#turn(upload, paused ? 'paused' : 'sending')
  }

  /** Forget those that are over. */
  clear(): void {
    this.uploads = this.uploads.filter((each) => !isOver(each))
    this.#soon()
  }

  /** The network is back. A request that was under way when it went may never tell of it. */
  #goOn(upload: Upload, hold: Hold): void {
    if (hold.wake) hold.wake()
    else if (hold.id && upload.state === 'stalled') this.#transport.kick(hold.id)
  }

  #pump(): void {
    const waiting = this.uploads.filter(({ state }) => state === 'waiting')
    const free = AT_ONCE - this.uploads.filter(isUnderWay).length
    for (const upload of waiting.slice(0, Math.max(0, free))) void this.#run(upload)
  }

  async #run(upload: Upload): Promise<void> {
    const hold: Hold = { abort: new AbortController() }
    this.#holds.set(upload, hold)
    try {
      await this.#persist(upload, hold)
    } catch (error) {
      if (!hold.abort.signal.aborted) this.#fail(upload, error as Error)
      if (hold.id && upload.state === 'refused') this.#transport.finish(hold.id)
      else if (hold.id) this.#transport.drop(hold.id)
    }
    this.#holds.delete(upload)
    this.#pump()
    this.#soon()
  }

  /** Try until it is a photo, or what went wrong won't pass. */
  async #persist(upload: Upload, hold: Hold): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const before = upload.sent
      try {
        await this.#once(upload, hold)
        return
      } catch (error) {
        if (hold.abort.signal.aborted || !passes(error as Error)) throw error
        if (upload.sent > before) attempt = 1
        if (attempt >= ATTEMPTS && navigator.onLine) throw error
        this.#turn(upload, 'stalled')
        await this.#pausing(error as Error, attempt, hold)
      }
    }
  }

  async #once(upload: Upload, hold: Hold): Promise<void> {
    const { signal } = hold.abort
    try {
      if (hold.id) {
        this.#turn(upload, 'sending')
        await this.#transport.again(hold.id)
      } else {
        this.#turn(upload, 'reserving')
        const reserved = await reserve(upload.file, signal)
        if ('photo' in reserved) {
          this.#become(upload, reserved.photo, false)
          return
        }
        if (signal.aborted) {
          giveUp(reserved.reservation.id)
          return
        }
        const begun = this.#transport.begin(upload.file, reserved.reservation, signal, (sent) => {
          upload.sent = sent
          // What was on its way when the network went may still be told of.
          if (upload.state === 'stalled' && navigator.onLine) upload.state = 'sending'
          this.#soon()
        })
        hold.id = begun.id
        this.#turn(upload, 'sending')
        await begun.over
      }
    } catch (error) {
      if (hold.id && isLost(error as Error)) {
        // The store or the server knows nothing of it any more: from the beginning.
        this.#transport.drop(hold.id)
        delete hold.id
      }
      throw error
    }
    await this.#complete(upload, hold)
  }

  async #complete(upload: Upload, hold: Hold): Promise<void> {
    const id = hold.id && this.#transport.reservationOf(hold.id)
    if (!id || !hold.id) return
    upload.sent = upload.file.size
    for (let attempt = 1; ; attempt++) {
      this.#turn(upload, 'checking')
      try {
        const { photo, isNew } = await complete(id, hold.abort.signal)
        this.#transport.finish(hold.id)
        this.#become(upload, photo, isNew)
        return
      } catch (error) {
        // What was sent is there: only this has to be asked again.
        const again = error instanceof Unreachable || (error instanceof Problem && error.passing)
        if (hold.abort.signal.aborted || !again || attempt >= ATTEMPTS) throw error
        this.#turn(upload, 'stalled')
        await this.#pausing(error, attempt, hold)
      }
    }
  }

  #become(upload: Upload, photo: Photo, isNew: boolean): void {
    upload.photo = photo
    upload.sent = upload.file.size
    this.#turn(upload, isNew ? 'done' : 'twin')
    this.onPhoto(photo)
  }

  /** Wait a little before the next try: while offline, until that is over. */
  #pausing(error: Error, attempt: number, hold: Hold): Promise<void> {
    const told = error instanceof Problem ? error.retryAfter : 0
    const wait = Math.max(told, Math.min(LONGEST_WAIT, 700 * 2 ** attempt))
    return new Promise((resolve, reject) => {
      const timer = navigator.onLine ? setTimeout(() => hold.wake?.(), wait) : undefined
      hold.wake = () => {
        clearTimeout(timer)
        delete hold.wake
        if (hold.abort.signal.aborted) reject(error)
        else resolve()
      }
    })
  }

  #fail(upload: Upload, error: Error): void {
    const refused = error instanceof Problem && !error.passing
    upload.reason = reasonOf(error)
    upload.rate = 0
    this.#turn(upload, refused ? 'refused' : 'failed')
  }

  #turn(upload: Upload, state: State): void {
    upload.state = state
    if (state !== 'sending') upload.rate = 0
    this.#soon()
  }

  #measured = new Map<Upload, number>()

  #measure(): void {
    let changed = false
    for (const upload of this.#holds.keys()) {
      if (upload.state !== 'sending') continue
      const moved = Math.max(0, upload.sent - (this.#measured.get(upload) ?? 0)) * 2
      upload.rate = upload.rate ? upload.rate * 0.7 + moved * 0.3 : moved
      this.#measured.set(upload, upload.sent)
      changed = true
    }
    if (this.#measured.size > 2 * AT_ONCE) this.#measured.clear()
    if (changed) this.#soon()
  }

  /** Tell of changes, ten times a second at the most. */
  #soon(): void {
    if (this.#told) return
    this.#told = window.setTimeout(() => {
      this.#told = 0
      this.tell()
    }, 100)
  }
}

/** Whether the same may succeed a little later. */
function passes(error: Error): boolean {
  if (error instanceof Problem) return error.passing || isLost(error)
  return error.name !== 'AbortError'
}

function isLost(error: Error): boolean {
  const status = (error as { status?: number }).status
  if (error instanceof Problem) return error.code === 'upload_incomplete' || status === 404
  return status === 404
}

function reasonOf(error: Error): string {
  if (error instanceof Problem || error instanceof Unreachable) return error.message
  return /^S3/.test(error.name) ? texts.storeUnreachable : texts.wrong
}
