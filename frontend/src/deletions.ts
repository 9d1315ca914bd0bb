import type { Album } from './album'
import { type Photo, Problem, remove } from './api'
import { house } from './house'
import { name, texts } from './texts'
import { Topic } from './topic'

const LASTS = 8_000

const LEFT = `safelight: deleted in ${house.root}/`
/** How long a page that went away may matter to the next one in the same tab. */
const LATELY = 60_000

export interface Toast {
  key: number
  text: string
  undo?: () => void
}

/** Deletes photos a few seconds after being told to, and until then takes it back. */
export class Deletions extends Topic {
  toasts: Toast[] = []
  #pending = new Map<number, { photo: Photo; due: number; key: number }>()
  #keys = 0
  #held = false

  constructor(readonly album: Album) {
    super()
    addEventListener('pagehide', () => this.#leave())
    void this.#comeBack()
    setInterval(() => this.#tick(), 250)
  }

  delete(photo: Photo): void {
    this.album.hide(photo.id)
    const key = this.say(texts.deleted(name(photo)), () => this.#restore(photo.id))
    this.#pending.set(photo.id, { photo, due: Date.now() + LASTS, key })
  }

  /** Take back the last one. */
  undo(): boolean {
    const last = [...this.#pending.keys()].pop()
    if (last === undefined) return false
    this.#restore(last)
    return true
  }

  /** Show a line for some seconds. */
  say(text: string, undo?: () => void): number {
    const key = ++this.#keys
    this.toasts = [...this.toasts.slice(-2), undo ? { key, text, undo } : { key, text }]
    this.tell()
    if (!undo) setTimeout(() => this.dismiss(key), LASTS)
    return key
  }

  /** While somebody points at the lines, or is in them by the keyboard, none of them goes. */
  hold(held: boolean): void {
    this.#held = held
  }

  dismiss(key: number): void {
    const pending = [...this.#pending].find(([, each]) => each.key === key)
    if (pending) void this.#carryOut(pending[0])
    this.#drop(key)
  }

  #drop(key: number): void {
    this.toasts = this.toasts.filter((toast) => toast.key !== key)
    this.tell()
  }

  #restore(id: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    this.album.unhide(id)
    this.#drop(pending.key)
    this.say(texts.undone)
  }

  #tick(): void {
    const now = Date.now()
    for (const [id, each] of this.#pending) {
      if (this.#held) each.due = Math.max(each.due, now + 2_000)
      else if (now >= each.due) void this.#carryOut(id)
    }
  }

  /** Who leaves has made up his mind. */
  #leave(): void {
    const ids = [...this.#pending.keys()]
    if (ids.length === 0) return
    keep([...kept(), ...ids])
    for (const id of ids) void this.#carryOut(id)
  }

  /** Whoever is back at once may be quicker than what was sent then, which can get lost, too. */
  async #comeBack(): Promise<void> {
    const ids = kept()
    if (ids.length === 0) return
    for (const id of ids) this.album.hide(id)
    await Promise.all(ids.map((id) => remove(id).catch(() => {})))
    keep(kept().filter((id) => !ids.includes(id)))
    await this.album.refresh()
    for (const id of ids) this.album.unhide(id)
  }

  async #carryOut(id: number): Promise<void> {
    const pending = this.#pending.get(id)
    if (!pending) return
    this.#pending.delete(id)
    this.#drop(pending.key)
    try {
      await remove(id)
      this.album.drop(id)
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        this.album.drop(id)
        return
      }
      this.album.unhide(id)
      this.say(texts.notDeleted(name(pending.photo)))
    }
  }
}

function keep(ids: number[]): void {
  try {
    sessionStorage.setItem(LEFT, JSON.stringify({ at: Date.now(), ids }))
  } catch {
    // Some browsers have no storage for some pages; the requests are on their way all the same.
  }
}

function kept(): number[] {
  try {
    const { at, ids } = JSON.parse(sessionStorage.getItem(LEFT) ?? '') as {
      at: number
      ids: number[]
    }
    return Date.now() - at < LATELY ? ids : []
  } catch {
    return []
  }
}
