import type { PhotoList } from './photo-list'
import { deletePhoto, type Photo, Problem } from './api-later'
import { bootstrap } from './bootstrap'
import { photoName, texts } from './texts-later'
import type { Toasts } from './toasts'

const UNDO_TIME = 8_000
/** The shortest time that a toast stays after the pointer or the focus has left it. */
const MIN_TIME_AFTER_HOLD = 2_000
const STORAGE_KEY = `safelight: deleted in ${bootstrap.root}/`
/** How long a page deletes again what the page before it in the same tab has deleted. */
const REPEAT_TIME = 60_000

/** Hides deleted photos at once, and deletes them when the time for undo is over. */
export class Deletions {
  #pending = new Map<number, { photo: Photo; due: number; key: number }>()

  constructor(
    readonly list: PhotoList,
    readonly toasts: Toasts,
  ) {
    addEventListener('pagehide', () => this.#deleteAllPending())
    addEventListener('keydown', (event) => this.#undoByKey(event))
    void this.#repeat()
    setInterval(() => this.#deleteDue(), 250)
  }

  delete(photo: Photo): void {
    this.list.hide(photo.id)
    const undo = { label: texts.undo, run: () => this.#restore(photo.id) }
    const onDismiss = () => void this.#deleteNow(photo.id)
    const key = this.toasts.show(texts.deleted(photoName(photo)), undo, onDismiss)
    this.#pending.set(photo.id, { photo, due: Date.now() + UNDO_TIME, key })
  }

  /** Undo the last deletion. Return false if there is none. */
  undo(): boolean {
    const last = [...this.#pending.keys()].pop()
    if (last === undefined) return false
    this.#restore(last)
    return true
  }

  #undoByKey(event: KeyboardEvent): void {
    const isTyping = (event.target as HTMLElement).closest?.('input, textarea')
    if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || isTyping) return
    if (this.undo()) event.preventDefault()
  }

  #restore(id: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    this.list.unhide(id)
    this.toasts.remove(pending.key)
    this.toasts.show(texts.restored(photoName(pending.photo)))
  }

  #deleteDue(): void {
    const now = Date.now()
    for (const [id, deletion] of this.#pending) {
      if (this.toasts.isHeld) deletion.due = Math.max(deletion.due, now + MIN_TIME_AFTER_HOLD)
      else if (now >= deletion.due) void this.#deleteNow(id)
    }
  }

  #deleteAllPending(): void {
    const ids = [...this.#pending.keys()]
    if (ids.length === 0) return
    storeIds([...storedIds(), ...ids])
    for (const id of ids) void this.#deleteNow(id)
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

  async #deleteNow(id: number): Promise<void> {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    this.toasts.remove(pending.key)
    try {
      await deletePhoto(id)
      this.list.remove(id)
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        this.list.remove(id)
        return
      }
      this.list.unhide(id)
      this.toasts.show(texts.notDeleted(photoName(pending.photo)))
    }
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
