import { deletePhoto, hasTrash, type Photo, Problem, reasonOf, request, session } from './api-later'
import { bootstrap } from './bootstrap'
import type { Navigation } from './navigation'
import { reveal } from './reveal'
import { photoName, texts } from './texts-later'

const UNDO_TIME = 8_000
/** The shortest time that a toast stays after the pointer or the focus has left it. */
const MIN_TIME_AFTER_HOLD = 2_000
const STORAGE_KEY = `safelight: deleted in ${bootstrap.root}/`
/** How long a page deletes again what the page before it in the same tab has deleted. */
const REPEAT_TIME = 60_000

interface Deletion {
  photo: Photo
  /** When it can't be undone any more. */
  due: number
  /** The key of its toast. */
  key: number
  /** Whether the photo was deleted; undefined while the request is still to be sent. */
  sent?: Promise<boolean>
}

/**
 * Deletes single photos: at once, since the trash keeps them, and Undo restores them from there.
 * Without a trash, the request is sent when the time for undo is over.
 */
export class Deletions {
  #undoable = new Map<number, Deletion>()

  constructor(readonly navigation: Navigation) {
    addEventListener('pagehide', () => void this.#endAll())
    addEventListener('keydown', (event) => this.#undoByKey(event))
    addEventListener('submit', (event) => void this.#endBefore(event))
    document.addEventListener('visibilitychange', () => this.#endIfHidden())
    void this.#repeat()
    setInterval(() => this.#endDue(), 250)
  }

  get list() {
    return this.navigation.list
  }

  get toasts() {
    return this.navigation.toasts
  }

  delete(photo: Photo): void {
    this.list.hide(photo.id)
    const undo = { label: texts.undo, run: () => void this.#undo(photo.id) }
    const key = this.toasts.show(texts.deleted(photoName(photo)), undo, () => {
      void this.#end(photo.id)
    })
    const deletion: Deletion = { photo, due: Date.now() + UNDO_TIME, key }
    this.#undoable.set(photo.id, deletion)
    if (hasTrash) deletion.sent = this.#send(deletion)
  }

  #undoByKey(event: KeyboardEvent): void {
    const isTyping = (event.target as HTMLElement).closest?.('input, textarea')
    const last = [...this.#undoable.keys()].pop()
    if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || isTyping || !last) return
    event.preventDefault()
    void this.#undo(last)
  }

  async #undo(id: number): Promise<void> {
    const deletion = this.#take(id)
    if (!deletion) return
    const { photo, sent } = deletion
    if (sent && !(await sent)) return // it was not deleted
    try {
      if (sent) await request(`/photos/${id}/restore`, { method: 'POST' })
    } catch (error) {
      const retry = { label: texts.retry, run: () => void this.#undo(id) }
      const reason = `${texts.notRestored(photoName(photo))} ${reasonOf(error)}`
      const key = this.toasts.show(reason, retry, () => this.#take(id))
      this.#undoable.set(id, { ...deletion, key, due: Infinity })
      return
    }
    this.list.unhide(id)
    this.toasts.show(texts.restored(photoName(photo)))
    await reveal(this.navigation, id)
  }

  /** Keep a photo that was added again before it was deleted. */
  keep(id: number): void {
    const deletion = this.#undoable.get(id)
    if (!deletion || deletion.sent) return
    this.#take(id)
    this.list.unhide(id)
  }

  /** Return a deletion, which can't be undone any more then. */
  #take(id: number): Deletion | undefined {
    const deletion = this.#undoable.get(id)
    this.#undoable.delete(id)
    if (deletion) this.toasts.remove(deletion.key)
    return deletion
  }

  async #end(id: number): Promise<void> {
    const deletion = this.#take(id)
    if (deletion) await (deletion.sent ?? this.#send(deletion))
  }

  #endDue(): void {
    const now = Date.now()
    for (const [id, deletion] of this.#undoable) {
      if (this.toasts.isHeld) deletion.due = Math.max(deletion.due, now + MIN_TIME_AFTER_HOLD)
      else if (now >= deletion.due) void this.#end(id)
    }
  }

  async #endAll(): Promise<void> {
    await Promise.all([...this.#undoable.keys()].map((id) => this.#end(id)))
  }

  /** A phone may end a hidden page without an event, and all that is not sent with it. */
  #endIfHidden(): void {
    if (document.hidden && matchMedia('(pointer: coarse)').matches) void this.#endAll()
  }

  /** Delete before a form that signs out: after that, the server would refuse. */
  async #endBefore(event: SubmitEvent): Promise<void> {
    const form = event.target as HTMLFormElement
    if (event.defaultPrevented || session.hasEnded || this.#undoable.size === 0) return
    event.preventDefault()
    await this.#endAll()
    form.submit()
  }

  /** Return whether the photo was deleted. Otherwise show it again, and say why. */
  async #send({ photo }: Deletion): Promise<boolean> {
    const { id } = photo
    storeIds([...storedIds(), id])
    try {
      await deletePhoto(id)
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) {
        this.#take(id)
        this.list.unhide(id)
        const retry = { label: texts.retry, run: () => this.delete(photo) }
        this.toasts.show(`${texts.notDeleted(photoName(photo))} ${reasonOf(error)}`, retry)
        return false
      }
    } finally {
      storeIds(storedIds().filter((other) => other !== id))
    }
    this.list.remove(id)
    return true
  }

  /** Delete again what the page before this one deleted: its last requests may be late or lost. */
  async #repeat(): Promise<void> {
    const ids = storedIds()
    if (ids.length === 0) return
    for (const id of ids) this.list.hide(id)
    await Promise.all(ids.map((id) => deletePhoto(id).catch(() => {})))
    storeIds(storedIds().filter((id) => !ids.includes(id)))
    await this.list.refresh()
    for (const id of ids) this.list.unhide(id)
  }
}

function storeIds(ids: number[]): void {
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ at: Date.now(), ids }))
  } catch {
    // Browsers may deny storage. The requests have been sent anyway.
  }
}

function storedIds(): number[] {
  try {
    const { at, ids } = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? '') as {
      at: number
      ids: number[]
    }
    return Date.now() - at < REPEAT_TIME ? ids : []
  } catch {
    return []
  }
}
