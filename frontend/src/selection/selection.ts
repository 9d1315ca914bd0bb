import { Observable } from '../observable'
import type { PhotoList } from '../photo-list'
import { idsBetween } from './ids'

/** The photos of the current view that an action is for. They are known by their ids. */
export class Selection extends Observable {
  ids = new Set<number>()
  /** Whether the ids of some photos are still being loaded. */
  isLoading = false
  /** Why some photos could not be loaded; undefined if they could. */
  failure: Error | undefined
  /** The photo that a range starts at: the one that was selected last. */
  #anchor: { id: number | undefined; slot: number } | undefined
  /** What was selected before the range. */
  #base = new Set<number>()
  #loading: AbortController | undefined

  constructor(readonly list: PhotoList) {
    super()
  }

  get isOn(): boolean {
    return this.ids.size > 0 || this.isLoading
  }

  has(id: number): boolean {
    return this.ids.has(id)
  }

  /** Select a loaded photo, or no longer select it. The next range starts there. */
  toggle(slot: number): void {
    const id = this.list.photos.get(slot)?.id
    if (id === undefined) return
    this.#stopLoading()
    if (!this.ids.delete(id)) this.ids.add(id)
    this.startAt(slot)
    this.notify()
  }

  /** Let the next range start at a slot. */
  startAt(slot: number): void {
    this.#anchor = { id: this.list.photos.get(slot)?.id, slot }
    this.#base = new Set(this.ids)
  }

  get hasAnchor(): boolean {
    return this.#anchor !== undefined
  }

  /** Select the photos from the anchor to a slot, instead of those of the range before. */
  async extendTo(slot: number): Promise<void> {
    if (!this.#anchor) this.startAt(slot)
    const { id, slot: before } = this.#anchor as { id: number | undefined; slot: number }
    // The photo may have another slot by now.
    const start = (id === undefined ? undefined : this.list.slotOf(id)) ?? before
    await this.#select(this.#base, Math.min(start, slot), Math.max(start, slot) + 1)
  }

  async selectAll(): Promise<void> {
    await this.#select(new Set(), 0, this.list.total)
  }

  /** Select what has these ids only: for example, what an action has failed for. */
  keep(ids: Iterable<number>): void {
    this.#stopLoading()
    this.ids = new Set(ids)
    this.#anchor = undefined
    this.notify()
  }

  clear(): void {
    this.keep([])
  }

  async #select(base: ReadonlySet<number>, from: number, to: number): Promise<void> {
    this.#stopLoading()
    const loading = new AbortController()
    this.#loading = loading
    this.isLoading = true
    this.ids = new Set(base)
    try {
      for await (const ids of idsBetween(this.list, from, to, loading.signal)) {
        if (loading.signal.aborted) return
        for (const id of ids) this.ids.add(id)
        this.notify()
      }
    } catch (error) {
      if (!loading.signal.aborted) this.failure = error as Error
    }
    if (this.#loading !== loading) return
    this.#loading = undefined
    this.isLoading = false
    this.notify()
  }

  #stopLoading(): void {
    this.#loading?.abort()
    this.#loading = this.failure = undefined
    this.isLoading = false
  }
}
