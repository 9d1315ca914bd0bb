import { fetchMonths, fetchPage, fetchPhoto, type Month, type Photo } from './api'
import { bootstrap } from './bootstrap'
import { Observable } from './observable'
import { sortTime } from './sort-time'

const PAGE_SIZE = 60
/** The shortest time between refreshes that nothing but looking at the page causes. */
const MIN_REFRESH_INTERVAL = 2_000

/**
 * The owner's photos, newest first. Each has a slot, which is empty until its photo is loaded.
 *
 * Slot n is the nth photo of the server's list. The counts of the months give the slot at which
 * each month begins, so that any page of the list can be loaded on its own.
 */
export class Album extends Observable {
  months: Month[] = []
  /** The first slot of each month. */
  starts: number[] = []
  total = 0
  slots: (Photo | undefined)[] = []
  /** The ids of photos whose deletion can still be undone. */
  hidden = new Set<number>()
  failure: Error | undefined
  /** Changes whenever the grid needs a new layout. */
  version = 0

  #loading = new Map<number, Promise<void>>()
  #generation = 0
  #refreshing: Promise<void> | undefined
  #refreshAgain = false
  #lastRefresh = Date.now()
  /** The id of a photo that has another slot since the last refresh. */
  #moved: number | undefined
  #visible: [number, number] = [0, PAGE_SIZE]

  constructor() {
    super()
    this.#setMonths(bootstrap.months)
  }

  /** Load the photos of the slots in view. Sets `failure` instead of throwing. */
  async loadVisible(from: number, to: number): Promise<void> {
    this.#visible = [from, to]
    await this.load(from, to)
  }

  /** Load the photos of any other slots. Sets `failure` instead of throwing. */
  async load(from: number, to: number): Promise<void> {
    const pages = new Set<number>()
    for (let slot = Math.max(0, from); slot < Math.min(to, this.total); slot++) {
      if (!this.slots[slot]) pages.add(Math.floor(slot / PAGE_SIZE))
    }
    await Promise.all([...pages].map((page) => this.#loadOnce(page)))
  }

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
      this.#fill(page * PAGE_SIZE, photos)
      this.#changed()
      const expected = Math.min(PAGE_SIZE, this.total - page * PAGE_SIZE)
      if (photos.length !== expected) void this.refresh()
      this.#fail(undefined)
    } catch (error) {
      if (generation === this.#generation) this.#fail(error as Error)
    }
  }

  #fetch(page: number): Promise<Photo[]> {
    const slot = page * PAGE_SIZE
    const index = this.monthOf(slot)
    const month = this.months[index]
    if (slot === 0 || !month) return fetchPage()
    const skip = slot - (this.starts[index] ?? 0)
    return fetchPage({ after: month.after, skip, limit: PAGE_SIZE })
  }

  #fill(from: number, photos: Photo[]): void {
    photos.forEach((photo, n) => {
      if (from + n < this.total) this.slots[from + n] = photo
    })
  }

  #setMonths(months: Month[]): void {
    this.months = months
    this.starts = []
    this.total = 0
    for (const month of months) {
      this.starts.push(this.total)
      this.total += month.count
    }
    this.slots = new Array<Photo | undefined>(this.total)
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

  /** Return the index of a slot's month. */
  monthOf(slot: number): number {
    let low = 0
    let high = this.starts.length
    while (low + 1 < high) {
      const middle = (low + high) >> 1
      if ((this.starts[middle] ?? 0) <= slot) low = middle
      else high = middle
    }
    return low
  }

  isHidden(slot: number): boolean {
    const photo = this.hidden.size > 0 ? this.slots[slot] : undefined
    return photo !== undefined && this.hidden.has(photo.id)
  }

  get visibleCount(): number {
    return this.total - this.hidden.size
  }

  /** Load the months and the photos in view again. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#refreshAgain = true
      return this.#refreshing
    }
    this.#refreshing = this.#refresh().finally(() => {
      this.#refreshing = undefined
      if (this.#refreshAgain) {
        this.#refreshAgain = false
        void this.refresh()
      }
    })
    return this.#refreshing
  }

  refreshIfStale(): void {
    if (Date.now() - this.#lastRefresh > MIN_REFRESH_INTERVAL) void this.refresh()
  }

  async #refresh(): Promise<void> {
    this.#lastRefresh = Date.now()
    const moved = this.#moved
    try {
      const months = await fetchMonths()
      const isUnchanged = JSON.stringify(months) === JSON.stringify(this.months)
      const next = new Album()
      next.#setMonths(months)
      if (isUnchanged && moved === undefined) next.slots = this.slots.slice()
      const [from, to] = this.#visible
      const first = Math.floor(Math.max(0, from) / PAGE_SIZE)
      const last = Math.floor(Math.max(0, Math.min(to, next.total) - 1) / PAGE_SIZE)
      for (let page = first; page <= last && next.total > 0; page++) {
        next.#fill(page * PAGE_SIZE, await next.#fetch(page))
      }
      if (moved !== undefined) {
        await next.locate(moved)
        if (this.#moved === moved) this.#moved = undefined
      }
      this.#generation++
      this.#loading.clear()
      this.months = next.months
      this.starts = next.starts
      this.total = next.total
      this.slots = next.slots
      this.failure = undefined
      this.#changed()
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** Replace a loaded photo by its edited version. */
  replace(photo: Photo): void {
    const slot = this.slotOf(photo.id)
    if (slot === undefined) return
    this.slots[slot] = photo
    this.#changed()
  }

  /** Replace a loaded photo by one with another date, and load the photos around its new slot. */
  async move(photo: Photo): Promise<void> {
    this.replace(photo)
    this.#moved = photo.id
    await this.refresh()
  }

  slotOf(id: number): number | undefined {
    const slot = this.slots.findIndex((photo) => photo?.id === id)
    return slot < 0 ? undefined : slot
  }

  /** Return the slot of any photo, loading pages as needed; undefined if the photo is gone. */
  async locate(id: number): Promise<number | undefined> {
    const loaded = this.slotOf(id)
    if (loaded !== undefined) return loaded
    const time = sortTime(await fetchPhoto(id))
    const name = new Date(Math.floor(time / 1000)).toISOString().slice(0, 7)
    const index = this.months.findIndex(({ month }) => month === name)
    if (index < 0) return undefined
    let low = this.starts[index] ?? 0
    let high = low + (this.months[index]?.count ?? 0)
    while (low < high) {
      const middle = (low + high) >> 1
      await this.load(middle, middle + 1)
      const found = this.slotOf(id)
      if (found !== undefined) return found
      const other = this.slots[middle]
      if (!other) return undefined
      const isNewer = sortTime(other) > time || (sortTime(other) === time && other.id > id)
      if (isNewer) low = middle + 1
      else high = middle
    }
    return undefined
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
      const index = this.monthOf(slot)
      const months = this.months.map((month, n) =>
        n === index ? { ...month, count: month.count - 1 } : month,
      )
      const slots = this.slots.slice()
      slots.splice(slot, 1)
      this.#generation++
      this.#loading.clear()
      this.#setMonths(months.filter((month) => month.count > 0))
      this.slots = slots
    }
    this.#changed()
  }
}
