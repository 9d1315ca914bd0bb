import { describe, expect, it } from 'vitest'
import { between, type Layout, layout, type Measures, type Shelf } from '../src/wall/layout'

const MEASURES: Measures = { width: 1000, rowHeight: 200, gap: 5, heading: 40, below: 20 }

function shelf(counts: number[], aspect: (slot: number) => number = () => 1.5): Shelf {
  const starts: number[] = []
  let total = 0
  for (const count of counts) {
    starts.push(total)
    total += count
  }
  return { starts, total, aspect, isHidden: () => false }
}

const rows = (laid: Layout) => laid.blocks.filter((block) => block.slots.length > 0)

/** Aspects that look random and are the same each time. */
const varied = (slot: number) => 0.5 + ((slot * 7919) % 100) / 50

describe('the layout', () => {
  it('puts every photo into one row, in order', () => {
    const laid = layout(shelf([13, 1, 40], varied), MEASURES)
    expect(rows(laid).flatMap((row) => row.slots)).toEqual([...Array(54).keys()])
  })

  it('fills every row but the last of a month to the edge', () => {
    const laid = layout(shelf([200, 3], varied), MEASURES)
    rows(laid).forEach((row, n, all) => {
      const width = row.slots.reduce((sum, slot) => sum + row.height * varied(slot), 0)
      const whole = width + MEASURES.gap * (row.slots.length - 1)
      expect(whole).toBeLessThanOrEqual(MEASURES.width + 0.01)
      if (all[n + 1]?.month === row.month) expect(whole).toBeCloseTo(MEASURES.width, 3)
    })
  })

  it('keeps the rows near the wanted height', () => {
    for (const row of rows(layout(shelf([500], varied), MEASURES))) {
      expect(row.height).toBeGreaterThan(120)
      expect(row.height).toBeLessThan(300)
    }
  })

  it('begins each month with its name, below what came before', () => {
    const { blocks, height } = layout(shelf([5, 9, 2]), MEASURES)
    const names = blocks.filter((block) => block.slots.length === 0)
    expect(names.map((name) => name.month)).toEqual([0, 1, 2])
    blocks.slice(1).forEach((block, n) => {
      const before = blocks[n]
      expect(block.y).toBeGreaterThanOrEqual((before?.y ?? 0) + (before?.height ?? 0))
    })
    expect(height).toBeGreaterThan(blocks.at(-1)?.y ?? 0)
  })

  it('leaves out what is hidden, and a month of nothing else', () => {
    const hidden = { ...shelf([2, 3]), isHidden: (slot: number) => slot < 2 || slot === 3 }
    const laid = layout(hidden, MEASURES)
    expect(rows(laid).flatMap((row) => row.slots)).toEqual([2, 4])
    expect(laid.blocks.map((block) => block.month)).toEqual([1, 1])
  })

  it('shows a panorama and a ribbon at a bearable shape', () => {
    const laid = layout(
      shelf([2], (slot) => (slot === 0 ? 40 : 0.01)),
      MEASURES,
    )
    for (const row of rows(laid)) expect(row.height).toBeGreaterThan(150)
  })

  it('lays 20,000 photos in little time', () => {
    const many = shelf(new Array<number>(200).fill(100), varied)
    layout(many, MEASURES)
    const began = performance.now()
    layout(many, MEASURES)
    expect(performance.now() - began).toBeLessThan(100)
  })
})

describe('the window', () => {
  it('finds the blocks between two heights', () => {
    const { blocks } = layout(shelf([300], varied), MEASURES)
    const [first, last] = between(blocks, 1000, 2000)
    blocks.forEach((block, n) => {
      const seen = block.y + block.height >= 1000 && block.y <= 2000
      expect(n >= first && n < last).toBe(seen)
    })
  })

  it('is empty of blocks where there are none', () => {
    expect(between([], 0, 100)).toEqual([0, 0])
  })
})
