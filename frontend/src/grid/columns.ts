/** Months side by side in one row. Lengths are in CSS pixels. */

import type { Sizes } from './sizes'

/** Photos of one month. */
export interface Column {
  month: number
  slots: readonly number[]
  ratios: readonly number[]
  /** The sum of the ratios. */
  sum: number
}

/** Return the width of a month in a row of this height. */
export const columnWidth = ({ slots, sum }: Column, height: number, sizes: Sizes): number =>
  Math.max(sizes.columnWidth, sum * height + sizes.gap * (slots.length - 1))

/** Return the height, up to the target, at which months fit side by side; it may be negative. */
export function sharedHeight(columns: readonly Column[], sizes: Sizes): number {
  let height = sizes.rowHeight
  // Columns keep their least width: each round may find more that do.
  for (let round = 0; round < columns.length; round++) {
    let rest = sizes.width - sizes.columnGap * (columns.length - 1)
    let sum = 0
    for (const column of columns) {
      const width = columnWidth(column, height, sizes)
      const isLeast = width === sizes.columnWidth
      rest -= isLeast ? width : sizes.gap * (column.slots.length - 1)
      if (!isLeast) sum += column.sum
    }
    if (sum > 0 || rest < 0) height = Math.min(height, rest / sum)
  }
  return height
}
