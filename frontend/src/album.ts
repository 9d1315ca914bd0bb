import { months as askMonths, photo as askPhoto, type Month, type Photo, page } from './api'
import { house } from './house'
import { Topic } from './topic'

export const CHUNK = 60

/**
 * The owner's photos, newest first: a slot for each, most of them empty until somebody looks.
 *
 * Slot n is the nth photo of the server's list. The counts of the months say where each month
 * begins, so any part of the list can be asked for by itself.
 */
export class Album extends Topic {
  months: Month[] = []
  /** The slot at which each month begins. */
  starts: number[] = []
  total = 0
  slots: (Photo | undefined)[] = []
  /** Photos that are about to be deleted, and shown no more. */
  hidden = new Set<number>()
  failure: Error | undefined
  /** Changes whenever the wall has to be laid anew. */
  version = 0

  #coming = new Map<number, Promise<void>>()
  #epoch = 0
  #refreshing: Promise<void> | undefined
  #again = false
  #refreshed = Date.now()
  #looked: [number, number] = [0, CHUNK]

  constructor() {
    super()
    this.#count(house.months)
  }

  /** Have the photos of these slots. What fails is told by `failure`. */
  async need(from: number, to: number): Promise<void> {
    this.#looked = [from, to]
    await this.have(from, to)
  }

  /** The same, for photos that are not on the wall just now. */
  async have(from: number, to: number): Promise<void> {
    const wanted = new Set<number>()
    for (let slot = Math.max(0, from); slot < Math.min(to, this.total); slot++) {
      if (!this.slots[slot]) wanted.add(Math.floor(slot / CHUNK))
    }
    await Promise.all([...wanted].map((chunk) => this.#chunk(chunk)))
  }

  #chunk(chunk: number): Promise<void> {
    const coming = this.#coming.get(chunk)
    if (coming) return coming
    const began = this.#fetch(chunk).finally(() => {
      if (this.#coming.get(chunk) === began) this.#coming.delete(chunk)
    })
    this.#coming.set(chunk, began)
    return began
  }

  async #fetch(chunk: number): Promise<void> {
    const epoch = this.#epoch
    try {
      const photos = await this.#page(chunk)
      if (epoch !== this.#epoch) return
      this.#put(chunk * CHUNK, photos)
      const expected = Math.min(CHUNK, this.total - chunk * CHUNK)
      if (photos.length !== expected) void this.refresh()
      this.#fail(undefined)
    } catch (error) {
      if (epoch === this.#epoch) this.#fail(error as Error)
    }
  }

  #page(chunk: number): Promise<Photo[]> {
    const slot = chunk * CHUNK
    const within = this.monthOf(slot)
    const month = this.months[within]
    if (slot === 0 || !month) return page()
    return page({ after: month.after, skip: slot - (this.starts[within] ?? 0), limit: CHUNK })
  }

  #put(from: number, photos: Photo[]): void {
    photos.forEach((photo, n) => {
      if (from + n < this.total) this.slots[from + n] = photo
    })
    this.#changed()
  }

  #count(months: Month[]): void {
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
    this.tell()
  }

  #changed(): void {
    this.version++
    this.tell()
  }

  /** Which month a slot belongs to. */
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

  get shown(): number {
    return this.total - this.hidden.size
  }

  /** Ask what has changed meanwhile; what is being looked at is asked for anew. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#again = true
      return this.#refreshing
    }
    this.#refreshing = this.#refresh().finally(() => {
      this.#refreshing = undefined
      if (this.#again) {
        this.#again = false
        void this.refresh()
      }
    })
    return this.#refreshing
  }

  /** The same, unless that was just done. */
  lookAgain(): void {
    if (Date.now() - this.#refreshed > 2_000) void this.refresh()
  }

  async #refresh(): Promise<void> {
    this.#refreshed = Date.now()
    try {
      const months = await askMonths()
      const before = new Map<number, Photo>()
      for (const photo of this.slots) if (photo) before.set(photo.id, photo)
      const same = JSON.stringify(months) === JSON.stringify(this.months)
      const next = new Album()
      next.#count(months)
      if (same) next.slots = this.slots.slice()
      const [from, to] = this.#looked
      const first = Math.floor(Math.max(0, from) / CHUNK)
      const last = Math.floor(Math.max(0, Math.min(to, next.total) - 1) / CHUNK)
      for (let chunk = first; chunk <= last && next.total > 0; chunk++) {
        const photos = await next.#page(chunk)
        photos.forEach((photo, n) => {
          if (chunk * CHUNK + n < next.total) next.slots[chunk * CHUNK + n] = photo
        })
      }
      this.#epoch++
      this.#coming.clear()
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

  /** Take over what the server says of a photo. */
  replace(photo: Photo): void {
    const slot = this.slotOf(photo.id)
    if (slot === undefined) return
    this.slots[slot] = photo
    this.#changed()
  }

  slotOf(id: number): number | undefined {
    const slot = this.slots.findIndex((photo) => photo?.id === id)
    return slot < 0 ? undefined : slot
  }

  /** Find the slot of any photo by its id, loading what lies around it; undefined if it's gone. */
  async locate(id: number): Promise<number | undefined> {
    const here = this.slotOf(id)
    if (here !== undefined) return here
    const wanted = await askPhoto(id)
    const time = place(wanted)
    const named = new Date(Math.floor(time / 1000)).toISOString().slice(0, 7)
    const within = this.months.findIndex((month) => month.month === named)
    if (within < 0) return undefined
    let low = this.starts[within] ?? 0
    let high = low + (this.months[within]?.count ?? 0)
    while (low < high) {
      const middle = (low + high) >> 1
      await this.have(middle, middle + 1)
      const found = this.slotOf(id)
      if (found !== undefined) return found
      const other = this.slots[middle]
      if (!other) return undefined
      const newer = place(other) > time || (place(other) === time && other.id > id)
      if (newer) low = middle + 1
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

  /** Close the gap of a photo that the server deleted. */
  drop(id: number): void {
    this.hidden.delete(id)
    const slot = this.slotOf(id)
    if (slot !== undefined) {
      const within = this.monthOf(slot)
      const counted = this.months.map((month, n) =>
        n === within ? { ...month, count: month.count - 1 } : month,
      )
      const slots = this.slots.slice()
      slots.splice(slot, 1)
      this.#epoch++
      this.#coming.clear()
      this.#count(counted.filter((month) => month.count > 0))
      this.slots = slots
    }
    this.#changed()
  }
}

/** When the list's order puts a photo, in microseconds since 1970. */
export function place(photo: Photo): number {
  const written = photo.taken_at ?? photo.created_at
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(written) ? written : `${written}Z`
  const micros = Number((/\.(\d{1,6})/.exec(written)?.[1] ?? '').padEnd(6, '0').slice(3))
  return Date.parse(zoned) * 1000 + micros
}
