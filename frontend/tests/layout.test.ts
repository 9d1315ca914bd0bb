import { describe, expect, it } from 'vitest'
import {
  blocksBetween,
  computeLayout,
  type Layout,
  type Sizes,
  type Slots,
} from '../src/grid/layout'

const SIZES: Sizes = { width: 1000, rowHeight: 200, gap: 5, headingHeight: 40, monthGap: 20 }

function slots(counts: number[], aspectRatio: (slot: number) => number = () => 1.5): Slots {
  const starts: number[] = []
  let total = 0
  for (const count of counts) {
    starts.push(total)
    total += count
  }
  return { starts, total, aspectRatio, isHidden: () => false }
}

const rows = (layout: Layout) => layout.blocks.filter((block) => block.slots.length > 0)

/** Aspect ratios that look random but are the same in each run. */
const varied = (slot: number) => 0.5 + ((slot * 7919) % 100) / 50

describe('computeLayout', () => {
  it('places every photo once, in order', () => {
    const layout = computeLayout(slots([13, 1, 40], varied), SIZES)
    expect(rows(layout).flatMap((row) => row.slots)).toEqual([...Array(54).keys()])
  })

  it('fills the width with every row but the last of a month', () => {
    const layout = computeLayout(slots([200, 3], varied), SIZES)
    rows(layout).forEach((row, n, all) => {
      const width = row.slots.reduce((sum, slot) => sum + row.height * varied(slot), 0)
      const whole = width + SIZES.gap * (row.slots.length - 1)
      expect(whole).toBeLessThanOrEqual(SIZES.width + 0.01)
      if (all[n + 1]?.month === row.month) expect(whole).toBeCloseTo(SIZES.width, 3)
    })
  })

  it('keeps the rows near the target height', () => {
    for (const row of rows(computeLayout(slots([500], varied), SIZES))) {
      expect(row.height).toBeGreaterThan(120)
      expect(row.height).toBeLessThan(300)
    }
  })

  it('starts each month with a heading, and overlaps no blocks', () => {
    const { blocks, height } = computeLayout(slots([5, 9, 2]), SIZES)
    const headings = blocks.filter((block) => block.slots.length === 0)
    expect(headings.map((heading) => heading.month)).toEqual([0, 1, 2])
    blocks.slice(1).forEach((block, n) => {
      const before = blocks[n]
      expect(block.y).toBeGreaterThanOrEqual((before?.y ?? 0) + (before?.height ?? 0))
    })
    expect(height).toBeGreaterThan(blocks.at(-1)?.y ?? 0)
  })

  it('leaves out hidden photos, and months of which all photos are hidden', () => {
    const hidden = { ...slots([2, 3]), isHidden: (slot: number) => slot < 2 || slot === 3 }
    const layout = computeLayout(hidden, SIZES)
    expect(rows(layout).flatMap((row) => row.slots)).toEqual([2, 4])
    expect(layout.blocks.map((block) => block.month)).toEqual([1, 1])
  })

  it('limits the aspect ratio of very wide and very tall photos', () => {
    const layout = computeLayout(
      slots([2], (slot) => (slot === 0 ? 40 : 0.01)),
      SIZES,
    )
    for (const row of rows(layout)) expect(row.height).toBeGreaterThan(150)
  })

  it('computes the layout of 20,000 photos in under 100 ms', () => {
    const many = slots(new Array<number>(200).fill(100), varied)
    computeLayout(many, SIZES)
    const start = performance.now()
    computeLayout(many, SIZES)
    expect(performance.now() - start).toBeLessThan(100)
  })
})

describe('blocksBetween', () => {
  it('returns the blocks between two heights', () => {
    const { blocks } = computeLayout(slots([300], varied), SIZES)
    const [first, last] = blocksBetween(blocks, 1000, 2000)
    blocks.forEach((block, n) => {
      const isVisible = block.y + block.height >= 1000 && block.y <= 2000
      expect(n >= first && n < last).toBe(isVisible)
    })
  })

  it('returns an empty range without blocks', () => {
    expect(blocksBetween([], 0, 100)).toEqual([0, 0])
  })
})
