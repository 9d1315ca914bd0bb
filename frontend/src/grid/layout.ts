/**
 * Justified rows: photos side by side at one height that fill the grid's width, month by month.
 *
 * The algorithm is greedy, and linear in the number of photos. Lengths are in CSS pixels.
 */

/** The part of the album that the layout depends on. */
export interface Slots {
  /** The first slot of each month. */
  starts: readonly number[]
  total: number
  /** Return the width of a slot's photo divided by its height. */
  aspectRatio: (slot: number) => number
  isHidden: (slot: number) => boolean
}

export interface Sizes {
  width: number
  rowHeight: number
  gap: number
  headingHeight: number
  /** The space below the last row of a month. */
  monthGap: number
}

/** The heading of a month, or a row of photos. */
export interface Block {
  y: number
  height: number
  month: number
  /** The slots of the row, in order; empty for a heading. */
  slots: readonly number[]
}

export interface Layout {
  blocks: Block[]
  height: number
}

const MAX_ASPECT_RATIO = 3.2
const MIN_ASPECT_RATIO = 0.45

/** Limit an aspect ratio: the grid crops panoramas. */
export const clampAspectRatio = (ratio: number): number =>
  Math.min(MAX_ASPECT_RATIO, Math.max(MIN_ASPECT_RATIO, ratio || 4 / 3))

export function computeLayout(slots: Slots, sizes: Sizes): Layout {
  const blocks: Block[] = []
  let y = 0
  slots.starts.forEach((start, month) => {
    const rows = rowsOf(slots, start, slots.starts[month + 1] ?? slots.total, sizes)
    if (rows.length === 0) return
    blocks.push({ y, height: sizes.headingHeight, month, slots: [] })
    y += sizes.headingHeight
    for (const row of rows) {
      blocks.push({ y, height: row.height, month, slots: row.slots })
      y += row.height + sizes.gap
    }
    y += sizes.monthGap - sizes.gap
  })
  return { blocks, height: y }
}

interface Row {
  slots: number[]
  height: number
}

function rowsOf(slots: Slots, from: number, to: number, sizes: Sizes): Row[] {
  const rows: Row[] = []
  let row: number[] = []
  let sum = 0
  const close = (height: number) => {
    rows.push({ slots: row, height })
    row = []
    sum = 0
  }
  for (let slot = from; slot < to; slot++) {
    if (slots.isHidden(slot)) continue
    const ratio = clampAspectRatio(slots.aspectRatio(slot))
    const without = rowHeight(row.length, sum, sizes)
    row.push(slot)
    sum += ratio
    const withIt = rowHeight(row.length, sum, sizes)
    if (withIt > sizes.rowHeight) continue
    // The row is full. Without the last photo its height may be closer to the target.
    if (row.length > 1 && without - sizes.rowHeight < sizes.rowHeight - withIt) {
      row.pop()
      close(without)
      row = [slot]
      sum = ratio
    } else {
      close(withIt)
    }
  }
  if (row.length > 0) close(Math.min(sizes.rowHeight, rowHeight(row.length, sum, sizes)))
  return rows
}

/** Return the height at which `count` photos of these aspect ratios, summed up, fill the width. */
const rowHeight = (count: number, sum: number, { width, gap }: Sizes): number =>
  sum === 0 ? Number.POSITIVE_INFINITY : (width - gap * (count - 1)) / sum

/** Return the range [first, last) of the blocks between two heights of the grid. */
export function blocksBetween(
  blocks: readonly Block[],
  top: number,
  bottom: number,
): [number, number] {
  const first = firstIndex(blocks, (block) => block.y + block.height >= top)
  const last = firstIndex(blocks, (block) => block.y > bottom)
  return [first, Math.max(first, last)]
}

/** Return the index of the first match. All blocks after a match must match too. */
export function firstIndex(blocks: readonly Block[], matches: (block: Block) => boolean): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (matches(blocks[middle] as Block)) high = middle
    else low = middle + 1
  }
  return low
}
