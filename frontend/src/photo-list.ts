import type { Month, Photo } from './api'
import { importAgain } from './later'
import { MonthIndex } from './month-index'
import { Observable } from './observable'
import type { Source } from './source'

/** The slots that count as in view until the grid says which are. */
const FIRST_SCREEN: Range = [0, 60]
/** How many photos stay loaded before and after those that were loaded last. */
const KEPT = 600

/** The slots from the first number up to the second, exclusive. */
type Range = [number, number]

/**
 * The photos of the current view. Each has a slot, which is empty until its photo is loaded.
 *
 * Slot n is the nth photo of the server's list. The counts of the sections, such as months, give the
 * slot at which each begins, so that any page of the list can be loaded on its own. Photos far from
 * those in view are dropped: memory depends on the months, not on the number of photos.
 */
export class PhotoList extends Observable {
  /** The loaded photos, by slot. */
  photos = new Map<number, Photo>()
  /** The ids of photos whose deletion can still be undone. */
  hidden = new Set<number>()
  failure: Error | undefined
  /** The slot of a photo that stays loaded because it has the focus. */
  pinned: number | undefined
  /** The id of the photo in the viewer, which stays loaded in whichever slot it is. */
  followed: number | undefined
  /** Changes whenever the grid needs a new layout. */
  version = 0
  /** Where the grid was scrolled to; the grid stores it. */
  anchor: unknown
  /** Whether the sections are known. */
  isReady: boolean

  #loading = new Map<number, Promise<void>>()
  #generation = 0
  #refreshing: Promise<void> | undefined
  #refreshAgain = false
  /** The id of a photo that has another slot since the last refresh. */
  #moved: number | undefined
  #index: MonthIndex
  /** The photos that the last refresh kept without loading them again. */
  #stale = new WeakSet<Photo>()
  #visible = FIRST_SCREEN
  /** The slots outside the grid's view that were loaded last. */
  #other = FIRST_SCREEN
  /** The index, the photos and the anchor of other sources, as they were left. */
  #left = new WeakMap<Source, [MonthIndex, Map<number, Photo>, unknown]>()

  /** Without months, nothing is loaded until a refresh. */
  constructor(
    public source: Source,
    months?: readonly Month[] | null,
  ) {
    super()
    this.isReady = Boolean(months)
    this.#index = new MonthIndex(months ?? [])
  }

  /** Show the photos of another source: at once those that it had when it was shown last. */
  show(source: Source): void {
    if (source === this.source && this.isReady) return
    if (this.isReady) this.#left.set(this.source, [this.#index, this.photos, this.anchor])
    const before = this.#left.get(source)
    this.source = source
    this.isReady = before !== undefined
    this.#visible = this.#other = FIRST_SCREEN
    this.#moved = this.#refreshing = this.failure = undefined
    const [index = new MonthIndex([]), photos = new Map<number, Photo>(), anchor] = before ?? []
    this.anchor = anchor
    this.#replaceAll(index, photos)
    void this.refresh()
  }

  #replaceAll(index: MonthIndex, photos: Map<number, Photo>): void {
    this.#generation++
    this.#loading.clear()
    this.#index = index
    this.photos = photos
    this.#changed()
  }

  get index(): MonthIndex {
    return this.#index
  }

  get months(): readonly Month[] {
    return this.#index.months
  }

  /** The first slot of each month. */
  get starts(): readonly number[] {
    return this.#index.starts
  }

  get total(): number {
    return this.#index.total
  }

  /** Load the photos of the slots in view. Sets `failure` instead of throwing. */
  async loadVisible(from: number, to: number): Promise<void> {
    this.#visible = [from, to]
    await this.#loadPages(from, to)
  }

  /** Load the photos of any other slots. Sets `failure` instead of throwing. */
  async load(from: number, to: number): Promise<void> {
    this.#other = [from, to]
    await this.#loadPages(from, to)
  }

  async #loadPages(from: number, to: number): Promise<void> {
    const pages = new Set<number>()
    for (let slot = Math.max(0, from); slot < Math.min(to, this.total); slot++) {
      const photo = this.photos.get(slot)
      if (!photo || this.#stale.has(photo)) pages.add(this.#index.pageOf(slot))
    }
    await Promise.all([...pages].map((page) => this.#loadOnce(page)))
  }

  /** Load the page that starts at a slot, unless that has begun. */
  #loadOnce(page: number): Promise<void> {
    const loading = this.#loading.get(page)
    if (loading) return loading
    const started = this.#load(page).finally(() => {
      if (this.#loading.get(page) === started) this.#loading.delete(page)
    })
    this.#loading.set(page, started)
    return started
  }

  async #load(page: number): Promise<void> {
    const generation = this.#generation
    try {
      const photos = await this.#fetch(page)
      if (generation !== this.#generation) return
      this.#fill(page, photos)
      this.#drop()
      this.#changed()
      if (photos.length !== this.#index.pageLength(page)) void this.refresh()
      this.#fail(undefined)
    } catch (error) {
      if (generation === this.#generation) this.#fail(error as Error)
    }
  }

  #fetch(page: number): Promise<Photo[]> {
    if (page === 0 || !this.months[0]) return this.source.page()
    return this.source.page(this.#index.position(page, this.#index.pageLength(page)))
  }

  #fill(page: number, photos: Photo[]): void {
    photos
      .slice(0, this.#index.pageLength(page))
      .forEach((photo, n) => this.photos.set(page + n, photo))
  }

  /** Drop the photos that are far from those in use. */
  #drop(): void {
    const isFar = (slot: number, [from, to]: Range) => slot < from - KEPT || slot >= to + KEPT
    for (const [slot, photo] of this.photos) {
      if (slot === this.pinned || this.hidden.has(photo.id)) continue
      if (isFar(slot, this.#visible) && isFar(slot, this.#other)) this.photos.delete(slot)
    }
  }

  #fail(error: Error | undefined): void {
    if (this.failure === error) return
    this.failure = error
    this.notify()
  }

  #changed(): void {
    this.version++
    this.notify()
  }

  isHidden(slot: number): boolean {
    const photo = this.hidden.size > 0 ? this.photos.get(slot) : undefined
    return photo !== undefined && this.hidden.has(photo.id)
  }

  /** Return the slots of the hidden photos, in order. */
  hiddenSlots(): number[] {
    if (this.hidden.size === 0) return []
    return [...this.photos.keys()].filter((slot) => this.isHidden(slot)).sort((a, b) => a - b)
  }

  get visibleCount(): number {
    return this.total - this.hiddenSlots().length
  }

  /** Load the months and the photos in view again. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#refreshAgain = true
      return this.#refreshing
    }
    const started = this.#refresh().finally(() => {
      if (this.#refreshing !== started) return
      this.#refreshing = undefined
      if (this.#refreshAgain) {
        this.#refreshAgain = false
        void this.refresh()
      }
    })
    this.#refreshing = started
    return started
  }

  isStale(photo: Photo): boolean {
    return this.#stale.has(photo)
  }

  async #refresh(): Promise<void> {
    const { source } = this
    const moved = this.#moved
    try {
      const { reload } = await importAgain(() => import('./reload'))
      const next = await reload(this, this.#visible, moved)
      if (source !== this.source) return
      if (this.#moved === moved) this.#moved = undefined
      this.isReady = true
      this.failure = undefined
      this.#stale = next.#stale
      this.#other = next.#other
      this.#replaceAll(next.#index, next.photos)
    } catch (error) {
      if (source === this.source) this.#fail(error as Error)
    }
  }

  /** Return a list with other months, and with these photos, to be loaded again, if they are kept. */
  copy(months: Month[], isKept: boolean): PhotoList {
    const next = new PhotoList(this.source, months)
    next.refresh = () => Promise.resolve() // this list will
    if (isKept) {
      next.photos = new Map(this.photos)
      next.#stale = new WeakSet(this.photos.values())
    }
    return next
  }

  /** Replace a loaded photo by its edited version. */
  replace(photo: Photo): void {
    const slot = this.slotOf(photo.id)
    if (slot === undefined) return
    this.photos.set(slot, photo)
    this.#changed()
  }

  /** Replace a loaded photo by one with another date, and load the photos around its new slot. */
  async move(photo: Photo): Promise<void> {
    this.replace(photo)
    this.#moved = photo.id
    await this.refresh()
  }

  slotOf(id: number): number | undefined {
    for (const [slot, photo] of this.photos) if (photo.id === id) return slot
    return undefined
  }

  /** Return the slot of any photo, loading pages as needed; undefined if the photo is gone. */
  async locate(id: number): Promise<number | undefined> {
    const loaded = this.slotOf(id)
    if (loaded !== undefined) return loaded
    const { locate } = await import('./locate')
    return locate(this, id)
  }

  hide(id: number): void {
    this.hidden.add(id)
    this.#changed()
  }

  unhide(id: number): void {
    this.hidden.delete(id)
    this.#changed()
  }

  /** Remove the slot of a photo that the server has deleted. */
  remove(id: number): void {
    this.hidden.delete(id)
    const slot = this.slotOf(id)
    if (slot !== undefined) {
      const photos = [...this.photos].filter(([other]) => other !== slot)
      this.#replaceAll(
        this.#index.without(slot),
        new Map(photos.map(([n, photo]) => [n > slot ? n - 1 : n, photo])),
      )
    } else this.#changed()
  }
}
