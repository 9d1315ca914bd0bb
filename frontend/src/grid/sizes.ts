/** The sizes of the grid, by its width. In CSS pixels. */

import type { RowSizes } from './rows'

export interface Sizes extends RowSizes {
  /** 0 if sections have none. */
  headingHeight: number
  /** The space below the last row of a month. */
  monthGap: number
  /** The space between months that share a row. */
  columnGap: number
  /** The least width of a month that shares a row, for its heading. */
  columnWidth: number
}

const NARROW = 640

export function sizesFor(width: number, hasHeadings: boolean): Sizes {
  const isNarrow = width < NARROW
  return {
    width,
    rowHeight: isNarrow ? 118 : width < 1200 ? 190 : 230,
    gap: isNarrow ? 3 : 6,
    headingHeight: !hasHeadings ? 0 : isNarrow ? 44 : 56,
    monthGap: isNarrow ? 12 : 20,
    columnGap: isNarrow ? 14 : 28,
    columnWidth: 150,
  }
}
