import type { PhotoList } from '../photo-list'
import type { Block, Layout, Span } from './layout'

/** The largest space between two rows, with a heading. */
const MAX_SPACE = 200

/** Return the slot to which a key moves the focus. */
export function neighbour(
  list: PhotoList,
  layout: Layout,
  from: number,
  key: string,
): number | undefined {
  const step = (slot: number, by: number) => {
    while (list.isHidden(slot)) slot += by
    return slot >= 0 && slot < list.total ? slot : undefined
  }
  if (key === 'ArrowLeft') return step(from - 1, -1)
  if (key === 'ArrowRight') return step(from + 1, 1)
  if (key === 'Home') return step(0, 1)
  if (key === 'End') return step(list.total - 1, -1)
  if (key === 'ArrowUp') return vertical(layout, from, -1)
  if (key === 'ArrowDown') return vertical(layout, from, 1)
  return undefined
}

/** Return the nearest slot in the row above or below. Months can be side by side. */
function vertical(layout: Layout, from: number, direction: 1 | -1): number | undefined {
  const row = layout.rowOf(from)
  const tile = row && layout.spans(row).find(({ slot }) => slot === from)
  if (!tile) return undefined
  const centre = tile.x + tile.width / 2
  const distance = ({ y }: Block) => (y - row.y) * direction
  const rows = layout
    .between(row.y - MAX_SPACE, row.y + row.height + MAX_SPACE)
    .filter((block) => block.slots.length > 0 && distance(block) > 0)
  const nearest = Math.min(...rows.map(distance))
  const spans = rows
    .filter((block) => distance(block) === nearest)
    .flatMap((block) => layout.spans(block))
  const offCentre = ({ x, width }: Span) => Math.max(x - centre, centre - x - width)
  return spans.sort((a, b) => offCentre(a) - offCentre(b))[0]?.slot
}
