/** Justified rows: photos side by side at one height that fill a width. Lengths are in CSS pixels. */

export interface RowSizes {
  width: number
  rowHeight: number
  gap: number
}

/** The photos from `start` to `end`, exclusive. */
export interface Row {
  start: number
  end: number
  height: number
}

/**
 * Return the rows of photos of these aspect ratios. Their heights are as close to the target as they
 * can be together: the sum of (log height/target)² is least. All fill the width, but the last if it
 * `mayBeShort`.
 */
export function breakIntoRows(
  ratios: readonly number[],
  { width, rowHeight, gap }: RowSizes,
  mayBeShort: boolean,
): Row[] {
  /** The least cost of the rows of the first n photos, and the last of these rows. */
  const best: (Row & { cost: number })[] = [{ cost: 0, start: 0, end: 0, height: 0 }]
  for (let end = 1; end <= ratios.length; end++) {
    let choice = { cost: Number.POSITIVE_INFINITY, start: 0, end, height: 0 }
    let sum = 0
    for (let start = end - 1; start >= 0; start--) {
      sum += ratios[start] as number
      let height = (width - gap * (end - start - 1)) / sum
      if (mayBeShort && end === ratios.length) height = Math.min(height, rowHeight)
      const before = best[start]?.cost ?? 0
      const cost = before + Math.log(Math.max(1, height) / rowHeight) ** 2
      if (cost < choice.cost) choice = { cost, start, end, height }
      // More photos would make it lower still.
      if (height < rowHeight / 2) break
    }
    best.push(choice)
  }
  const rows: Row[] = []
  for (let end = ratios.length; end > 0;) {
    const row = best[end] as Row
    rows.push(row)
    end = row.start
  }
  return rows.reverse()
}
