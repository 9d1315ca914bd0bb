/**
 * The layout of the grid: month by month, in rows. Lengths are in CSS pixels.
 *
 * Its cost, in time and memory, grows with the months and the loaded photos, not with all photos.
 * Months of few photos share a row: which ones follows from their counts alone. A larger month is
 * divided into chunks with rows of their own. So the rows of a chunk do not depend on what is loaded
 * around it, and the height of a chunk of unknown photos follows from their number.
 */

import { firstIndex } from '../month-index'
import { type Block, Chunk } from './chunk'
import { type Column, sharedHeight } from './columns'
import { breakIntoRows } from './rows'
import type { Sizes } from './sizes'

export type { Block }

/** The part of the list that the layout depends on. */
export interface Slots {
  /** The first slot of each month. */
  starts: readonly number[]
  total: number
  /** The slots of the loaded photos, in any order. The others count as 4:3, and as not hidden. */
  loaded: Iterable<number>
  /** Return the width of a loaded photo divided by its height. */
  aspectRatio: (slot: number) => number
  isHidden: (slot: number) => boolean
}

/** The place of a photo in the grid's width. */
export interface Span {
  slot: number
  x: number
  width: number
}

const CHUNK = 60
const MAX_ASPECT_RATIO = 3.2
const MIN_ASPECT_RATIO = 0.45
const DEFAULT_ASPECT_RATIO = 4 / 3
/** Months are planned into one row if its height is at least this part of the target … */
const MIN_PLANNED_HEIGHT = 0.9
/** … and stay there, once their photos are known, down to this part. */
const MIN_SHARED_HEIGHT = 0.7

/** Limit an aspect ratio: the grid crops panoramas. */
const clampAspectRatio = (ratio: number): number =>
  Math.min(MAX_ASPECT_RATIO, Math.max(MIN_ASPECT_RATIO, ratio || DEFAULT_ASPECT_RATIO))

/** One month, or consecutive months that share a row. */
interface Band {
  /** The first month, and the one after the last. */
  first: number
  end: number
  y: number
  height: number
  /** The number of chunks: one for months that share a row. */
  chunks: number
  /** How much higher each loaded chunk is than it would be with unknown photos. */
  extra: Map<number, number>
}

type AspectRatio = (slot: number) => number
const unknown: AspectRatio = () => DEFAULT_ASPECT_RATIO

export class Layout {
  readonly height: number
  readonly #bands: Band[] = []
  readonly #loaded: ReadonlySet<number>
  /** Heights of chunks of unknown photos, by their number; the last of a month by its negative. */
  readonly #heights = new Map<number, number>()

  constructor(
    readonly slots: Slots,
    readonly sizes: Sizes,
  ) {
    this.#loaded = new Set(slots.loaded)
    for (let first = 0; first < slots.starts.length;) {
      const end = this.#endOfBand(first)
      const count = this.#startOf(end) - this.#startOf(first)
      const chunks = end > first + 1 ? 1 : Math.ceil(count / CHUNK)
      this.#bands.push({ first, end, y: 0, height: 0, chunks, extra: new Map() })
      first = end
    }
    for (const slot of this.#loaded) {
      const band = this.#bandOf(slot)
      band?.extra.set(this.#chunkOf(band, slot), 0)
    }
    let y = 0
    for (const band of this.#bands) {
      for (const chunk of band.extra.keys()) {
        const { height } = this.#build(band, chunk)
        band.extra.set(chunk, height - this.#unknownHeight(band, chunk))
      }
      const height = this.#top(band, band.chunks)
      band.y = y
      band.height = height > 0 ? height - sizes.gap + sizes.monthGap : 0
      y += band.height
    }
    this.height = y
  }

  /** Return the blocks between two heights, from the top. */
  between(top: number, bottom: number): Block[] {
    const found: Block[] = []
    for (let n = this.#bandIndex(({ y, height }) => y + height >= top); ; n++) {
      const band = this.#bands[n]
      if (!band || band.y > bottom) return found
      let chunk = firstIndex(band.chunks, (n) => band.y + this.#top(band, n + 1) >= top)
      for (; chunk < band.chunks && band.y + this.#top(band, chunk) <= bottom; chunk++) {
        const blocks = this.#placed(band, chunk)
        found.push(...blocks.filter(({ y, height }) => y + height >= top && y <= bottom))
      }
    }
  }

  /** Return the row of a slot; undefined if its photo is hidden. */
  rowOf(slot: number): Block | undefined {
    const band = this.#bandOf(slot)
    const blocks = band ? this.#placed(band, this.#chunkOf(band, slot)) : []
    return blocks.find(({ slots }) => slots.includes(slot))
  }

  /** Return the heading of a month; undefined if all of its photos are hidden. */
  headingOf(month: number): Block | undefined {
    const band = this.#bands[this.#bandIndex(({ end }) => end > month)]
    return band && this.#placed(band, 0).find((block) => block.month === month)
  }

  /** Return the places of the photos of a row. */
  spans({ x, height, slots }: Block): Span[] {
    return slots.map((slot) => {
      const width = height * this.#ratio(slot)
      const span = { slot, x, width }
      x += width + this.sizes.gap
      return span
    })
  }

  #startOf(month: number): number {
    return this.slots.starts[month] ?? this.slots.total
  }

  #bandIndex(matches: (band: Band) => boolean): number {
    return firstIndex(this.#bands.length, (n) => matches(this.#bands[n] as Band))
  }

  #bandOf(slot: number): Band | undefined {
    return this.#bands[this.#bandIndex(({ end }) => this.#startOf(end) > slot)]
  }

  #chunkOf(band: Band, slot: number): number {
    return band.chunks > 1 ? Math.floor((slot - this.#startOf(band.first)) / CHUNK) : 0
  }

  /** Return the first month after `first` that shares no row with it. */
  #endOfBand(first: number): number {
    const { width, rowHeight } = this.sizes
    const columns: Column[] = []
    for (let month = first; month < this.slots.starts.length; month++) {
      const [start, end] = [this.#startOf(month), this.#startOf(month + 1)]
      const isLarge = (end - start) * rowHeight > width
      if (!isLarge) columns.push(this.#column(month, start, end, unknown))
      if (isLarge || sharedHeight(columns, this.sizes) < rowHeight * MIN_PLANNED_HEIGHT) {
        return Math.max(month, first + 1)
      }
    }
    return this.slots.starts.length
  }

  /** Return the distance from the top of a band to that of a chunk, or to the end of the last. */
  #top(band: Band, chunk: number): number {
    if (chunk === 0) return 0
    const last = band.chunks - 1
    const full = Math.min(chunk, last)
    let top = full > 0 ? this.sizes.headingHeight + full * this.#rowsHeight(CHUNK, false) : 0
    if (chunk > last) top += this.#unknownHeight(band, last)
    for (const [n, extra] of band.extra) if (n < chunk) top += extra
    return top
  }

  #unknownHeight(band: Band, chunk: number): number {
    if (band.end > band.first + 1) return this.#build(band, chunk, unknown).height
    const heading = chunk === 0 ? this.sizes.headingHeight : 0
    const count = this.#startOf(band.end) - this.#startOf(band.first) - chunk * CHUNK
    const isLast = chunk === band.chunks - 1
    return heading + this.#rowsHeight(Math.min(count, CHUNK), isLast)
  }

  /** Return the height of the rows of a number of unknown photos. */
  #rowsHeight(count: number, isLast: boolean): number {
    const key = isLast ? -count : count
    let height = this.#heights.get(key)
    if (height === undefined) {
      const rows = breakIntoRows(
        new Array<number>(count).fill(DEFAULT_ASPECT_RATIO),
        this.sizes,
        isLast,
      )
      height = rows.reduce((sum, row) => sum + row.height + this.sizes.gap, 0)
      this.#heights.set(key, height)
    }
    return height
  }

  #placed(band: Band, chunk: number): Block[] {
    const top = band.y + this.#top(band, chunk)
    return this.#build(band, chunk).blocks.map((block) => ({ ...block, y: top + block.y }))
  }

  #build(band: Band, n: number, ratio: AspectRatio = (slot) => this.#ratio(slot)): Chunk {
    const chunk = new Chunk(this.sizes)
    if (band.end === band.first + 1) {
      const start = this.#startOf(band.first) + n * CHUNK
      const end = Math.min(start + CHUNK, this.#startOf(band.end))
      const column = this.#column(band.first, start, end, ratio)
      chunk.addRows(column, n === 0, n === band.chunks - 1)
      return chunk
    }
    let line: Column[] = []
    for (let month = band.first; month < band.end; month++) {
      const column = this.#column(month, this.#startOf(month), this.#startOf(month + 1), ratio)
      if (column.slots.length === 0) continue
      const height = sharedHeight([...line, column], this.sizes)
      if (height < this.sizes.rowHeight * MIN_SHARED_HEIGHT) {
        chunk.addLine(line)
        line = []
      }
      line.push(column)
    }
    chunk.addLine(line)
    return chunk
  }

  /** Return the photos of a month between two slots, without those that are hidden. */
  #column(month: number, from: number, to: number, ratio: AspectRatio): Column {
    const slots: number[] = []
    for (let slot = from; slot < to; slot++) {
      if (!this.#loaded.has(slot) || !this.slots.isHidden(slot)) slots.push(slot)
    }
    const ratios = slots.map(ratio)
    return { month, slots, ratios, sum: ratios.reduce((sum, one) => sum + one, 0) }
  }

  #ratio(slot: number): number {
    return this.#loaded.has(slot)
      ? clampAspectRatio(this.slots.aspectRatio(slot))
      : DEFAULT_ASPECT_RATIO
  }
}
