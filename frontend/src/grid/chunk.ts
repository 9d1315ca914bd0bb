/** The blocks of a part of the layout. Lengths are in CSS pixels. */

import { type Column, columnWidth, sharedHeight } from './columns'
import { breakIntoRows } from './rows'
import type { Sizes } from './sizes'

/** The heading of a month, or a row of its photos. */
export interface Block {
  x: number
  y: number
  width: number
  height: number
  month: number
  /** The slots of the row, in order; empty for a heading. */
  slots: readonly number[]
}

/** Collects blocks from the top down, measured from its own top. */
export class Chunk {
  readonly blocks: Block[] = []
  /** With the gap below. */
  height = 0

  constructor(readonly sizes: Sizes) {}

  /** Add rows of a month across the whole width. */
  addRows({ month, slots, ratios }: Column, hasHeading: boolean, isLast: boolean): void {
    const { width, gap, headingHeight } = this.sizes
    // The photos of a month can all be hidden.
    if (slots.length === 0 && isLast) return
    if (hasHeading && headingHeight > 0) {
      this.blocks.push({ x: 0, y: this.height, width, height: headingHeight, month, slots: [] })
      this.height += headingHeight
    }
    for (const { start, end, height } of breakIntoRows(ratios, this.sizes, isLast)) {
      const row = slots.slice(start, end)
      this.blocks.push({ x: 0, y: this.height, width, height, month, slots: row })
      this.height += height + gap
    }
  }

  /** Add months side by side. */
  addLine(line: readonly Column[]): void {
    const [only] = line
    if (!only) return
    if (line.length === 1) {
      this.addRows(only, true, true)
      return
    }
    const { gap, headingHeight, columnGap } = this.sizes
    const height = sharedHeight(line, this.sizes)
    let x = 0
    for (const column of line) {
      const width = columnWidth(column, height, this.sizes)
      const block = { x, width, month: column.month }
      this.blocks.push({ ...block, y: this.height, height: headingHeight, slots: [] })
      this.blocks.push({ ...block, y: this.height + headingHeight, height, slots: column.slots })
      x += width + columnGap
    }
    this.height += headingHeight + height + gap
  }
}
