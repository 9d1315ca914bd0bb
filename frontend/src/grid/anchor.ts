import type { PhotoList } from '../photo-list'
import type { Block, Layout } from './layout'

/** The block that keeps its position in the window when the layout changes. */
export interface Anchor {
  /** The id of a photo, and its slot in case the photo is gone; or a month (YYYY-MM). */
  id?: number | undefined
  slot?: number | undefined
  month?: string | undefined
  /** The distance from the top of the window. */
  offset: number
}

/** Return what keeps the position of a block, in a window whose top is at y. */
export function anchorAt(list: PhotoList, block: Block | undefined, y: number): Anchor | undefined {
  if (!block) return undefined
  const slot = block.slots[0]
  const offset = block.y - y
  if (slot === undefined) return { month: list.months[block.month]?.month, offset }
  return { id: list.photos.get(slot)?.id, slot, offset }
}

/** Return the block of an anchor in a layout; undefined if it is gone. */
export function blockOf(
  list: PhotoList,
  layout: Layout,
  { id, slot, month }: Anchor,
): Block | undefined {
  if (month) return layout.headingOf(list.months.findIndex((other) => other.month === month))
  const found = (id !== undefined ? list.slotOf(id) : undefined) ?? slot
  return found === undefined ? undefined : layout.rowOf(found)
}
