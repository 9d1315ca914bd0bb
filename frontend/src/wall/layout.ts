/**
 * Justified rows: pictures side by side at one height, as wide as the wall, month by month.
 *
 * Greedy, and linear in the number of photos. Lengths are CSS pixels.
 */

export interface Shelf {
  /** The slot at which each month begins, and one past the last slot of all. */
  starts: readonly number[]
  total: number
  /** Width by height of what is in a slot. */
  aspect: (slot: number) => number
  isHidden: (slot: number) => boolean
}

export interface Measures {
  width: number
  rowHeight: number
  gap: number
  /** What a month's name takes, and what is left below its last row. */
  heading: number
  below: number
}

/** A month's name, or a row of photos. */
export interface Block {
  y: number
  height: number
  month: number
  /** The slots of the row, in order; none for a name. */
  slots: readonly number[]
}

export interface Layout {
  blocks: Block[]
  height: number
}

const WIDEST = 3.2
const NARROWEST = 0.45

/** The aspect that a picture is shown at: panoramas are cropped. */
export const shownAspect = (aspect: number): number =>
  Math.min(WIDEST, Math.max(NARROWEST, aspect || 4 / 3))

export function layout(shelf: Shelf, measures: Measures): Layout {
  const blocks: Block[] = []
  let y = 0
  shelf.starts.forEach((start, month) => {
    const rows = rowsOf(shelf, start, shelf.starts[month + 1] ?? shelf.total, measures)
    if (rows.length === 0) return
    blocks.push({ y, height: measures.heading, month, slots: [] })
    y += measures.heading
    for (const row of rows) {
      blocks.push({ y, height: row.height, month, slots: row.slots })
      y += row.height + measures.gap
    }
    y += measures.below - measures.gap
  })
  return { blocks, height: y }
}

interface Row {
  slots: number[]
  height: number
}

function rowsOf(shelf: Shelf, from: number, to: number, measures: Measures): Row[] {
  const rows: Row[] = []
  let slots: number[] = []
  let sum = 0
  const close = (height: number) => {
    rows.push({ slots, height })
    slots = []
    sum = 0
  }
  for (let slot = from; slot < to; slot++) {
    if (shelf.isHidden(slot)) continue
    const aspect = shownAspect(shelf.aspect(slot))
    const without = height(slots.length, sum, measures)
    slots.push(slot)
    sum += aspect
    const withIt = height(slots.length, sum, measures)
    if (withIt > measures.rowHeight) continue
    // Full. It may be nearer to the wanted height without the last one.
    if (slots.length > 1 && without - measures.rowHeight < measures.rowHeight - withIt) {
      slots.pop()
      close(without)
      slots = [slot]
      sum = aspect
    } else {
      close(withIt)
    }
  }
  if (slots.length > 0) close(Math.min(measures.rowHeight, height(slots.length, sum, measures)))
  return rows
}

const height = (count: number, sum: number, { width, gap }: Measures): number =>
  sum === 0 ? Number.POSITIVE_INFINITY : (width - gap * (count - 1)) / sum

/** Where each of the blocks between two heights of the wall begins and ends: [first, last). */
export function between(blocks: readonly Block[], top: number, bottom: number): [number, number] {
  const first = search(blocks, (block) => block.y + block.height >= top)
  const last = search(blocks, (block) => block.y > bottom)
  return [first, Math.max(first, last)]
}

/** The first block of which it is true; it must be true of all that follow. */
export function search(blocks: readonly Block[], isTrue: (block: Block) => boolean): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (isTrue(blocks[middle] as Block)) high = middle
    else low = middle + 1
  }
  return low
}
