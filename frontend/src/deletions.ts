import type { Album } from './album'
import { deletePhoto, type Photo, Problem } from './api'
import { bootstrap } from './bootstrap'
import { Observable } from './observable'
import { photoName, texts } from './texts'

const UNDO_TIME = 8_000
/** The shortest time that a toast stays after the pointer or the focus has left it. */
const MIN_TIME_AFTER_HOLD = 2_000
const STORAGE_KEY = `safelight: deleted in ${bootstrap.root}/`
/** How long a page deletes again what the page before it in the same tab has deleted. */
const REPEAT_TIME = 60_000

export interface Toast {
  key: number
  text: string
  undo?: () => void
}

/** Hides deleted photos at once, and deletes them when the time for undo is over. */
export class Deletions extends Observable {
  toasts: Toast[] = []
  #pending = new Map<number, { photo: Photo; due: number; key: number }>()
  #lastKey = 0
  #isHeld = false

  constructor(readonly album: Album) {
    super()
    addEventListener('pagehide', () => this.#deleteAllPending())
    void this.#repeat()
    setInterval(() => this.#deleteDue(), 250)
  }

  delete(photo: Photo): void {
    this.album.hide(photo.id)
    const key = this.showToast(texts.deleted(photoName(photo)), () => this.#restore(photo.id))
    this.#pending.set(photo.id, { photo, due: Date.now() + UNDO_TIME, key })
  }

  /** Undo the last deletion. Return false if there is none. */
  undo(): boolean {
    const last = [...this.#pending.keys()].pop()
    if (last === undefined) return false
    this.#restore(last)
    return true
  }

  /** Show a message for some seconds. */
  showToast(text: string, undo?: () => void): number {
    const key = ++this.#lastKey
    this.toasts = [...this.toasts.slice(-2), undo ? { key, text, undo } : { key, text }]
    this.notify()
    if (!undo) setTimeout(() => this.dismiss(key), UNDO_TIME)
    return key
  }

  /** Keep the toasts with an undo button, while one has the pointer or the focus. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
  }

  dismiss(key: number): void {
    const pending = [...this.#pending].find(([, deletion]) => deletion.key === key)
    if (pending) void this.#deleteNow(pending[0])
    this.#removeToast(key)
  }

  #removeToast(key: number): void {
    this.toasts = this.toasts.filter((toast) => toast.key !== key)
    this.notify()
  }

  #restore(id: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    this.album.unhide(id)
    this.#removeToast(pending.key)
    this.showToast(texts.restored(photoName(pending.photo)))
  }

  #deleteDue(): void {
    const now = Date.now()
    for (const [id, deletion] of this.#pending) {
      if (this.#isHeld) deletion.due = Math.max(deletion.due, now + MIN_TIME_AFTER_HOLD)
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
    for (const id of ids) this.album.hide(id)
    await Promise.all(ids.map((id) => deletePhoto(id).catch(() => {})))
    storeIds(storedIds().filter((id) => !ids.includes(id)))
    await this.album.refresh()
    for (const id of ids) this.album.unhide(id)
  }

  async #deleteNow(id: number): Promise<void> {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    this.#removeToast(pending.key)
    try {
      await deletePhoto(id)
      this.album.remove(id)
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        this.album.remove(id)
        return
      }
      this.album.unhide(id)
      this.showToast(texts.notDeleted(photoName(pending.photo)))
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
