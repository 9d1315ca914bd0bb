import { describe, expect, it } from 'vitest'
import { type Block, Layout, type Slots } from '../src/grid/layout'
import type { Sizes } from '../src/grid/sizes'

const SIZES: Sizes = {
  width: 1000,
  rowHeight: 200,
  gap: 5,
  headingHeight: 40,
  monthGap: 20,
  columnGap: 30,
  columnWidth: 150,
}

type AspectRatio = (slot: number) => number

/** The slots of months of these counts; all photos are loaded. */
function slots(counts: number[], aspectRatio: AspectRatio = () => 1.5): Slots & { total: number } {
  const starts: number[] = []
  let total = 0
  for (const count of counts) {
    starts.push(total)
    total += count
  }
  return { starts, total, loaded: Array(total).keys(), aspectRatio, isHidden: () => false }
}

/** The same, but none is loaded. */
const unknown = (counts: number[]): Slots => ({ ...slots(counts), loaded: [] })

const all = (layout: Layout) => layout.between(0, layout.height)
const isRow = (block: Block) => block.slots.length > 0
const rows = (layout: Layout) => all(layout).filter(isRow)
const months = (blocks: Block[]) =>
  blocks.filter((block) => !isRow(block)).map(({ month }) => month)

/** Aspect ratios that look random but are the same in each run. */
const varied = (slot: number) => 0.5 + ((slot * 7919) % 100) / 50

describe('Layout', () => {
  it('places every photo once, in order', () => {
    for (const counts of [
      [13, 1, 40],
      [200, 3],
      [1, 1, 1, 1, 1, 1],
      [60, 61, 1, 2, 119, 120],
    ]) {
      const photos = slots(counts, varied)
      const placed = rows(new Layout(photos, SIZES)).flatMap((row) => row.slots)
      expect(placed).toEqual([...Array(photos.total).keys()])
    }
  })

  it('fills the width with every row but the last of a month', () => {
    const layout = new Layout(slots([200, 30], varied), SIZES)
    rows(layout).forEach((row, n, all) => {
      const last = layout.spans(row).at(-1)
      const end = (last?.x ?? 0) + (last?.width ?? 0)
      expect(end).toBeLessThanOrEqual(SIZES.width + 0.01)
      if (all[n + 1]?.month === row.month) expect(end).toBeCloseTo(SIZES.width, 3)
    })
  })

  it('keeps the rows near the target height', () => {
    for (const row of rows(new Layout(slots([500], varied), SIZES))) {
      expect(row.height).toBeGreaterThan(140)
      expect(row.height).toBeLessThan(270)
    }
  })

  it('starts each month with a heading, and overlaps no blocks', () => {
    for (const counts of [
      [5, 9, 70],
      [1, 1, 1],
      [2, 1, 30, 1, 1, 400],
    ]) {
      const layout = new Layout(slots(counts, varied), SIZES)
      const blocks = all(layout)
      expect(months(blocks)).toEqual([...counts.keys()])
      for (const one of blocks) {
        expect(one.x + one.width).toBeLessThanOrEqual(SIZES.width + 0.01)
        expect(one.y + one.height).toBeLessThanOrEqual(layout.height)
        for (const other of blocks) {
          const isApart =
            one.x + one.width <= other.x + 0.01 ||
            other.x + other.width <= one.x + 0.01 ||
            one.y + one.height <= other.y + 0.01 ||
            other.y + other.height <= one.y + 0.01
          expect(one === other || isApart).toBe(true)
        }
      }
    }
  })

  it('leaves out hidden photos, and months of which all photos are hidden', () => {
    const hidden = { ...slots([7, 3]), isHidden: (slot: number) => slot < 7 || slot === 8 }
    const layout = new Layout(hidden, SIZES)
    expect(rows(layout).flatMap((row) => row.slots)).toEqual([7, 9])
    expect(all(layout).map((block) => block.month)).toEqual([1, 1])
    expect(layout.rowOf(8)).toBeUndefined()
    expect(layout.headingOf(0)).toBeUndefined()
  })

  it('limits the aspect ratio of very wide and very tall photos', () => {
    const layout = new Layout(
      slots([2], (slot) => (slot === 0 ? 40 : 0.01)),
      SIZES,
    )
    for (const row of rows(layout)) expect(row.height).toBeGreaterThan(150)
  })

  it('puts months of few photos side by side', () => {
    const layout = new Layout(
      slots([1, 1, 1, 30, 1, 1], () => 1),
      SIZES,
    )
    const tops = rows(layout).map((row) => [row.month, row.y])
    const top = (month: number) => tops.filter(([of]) => of === month).map(([, y]) => y)
    expect(new Set([0, 1, 2].flatMap(top)).size).toBe(1)
    expect(top(3).length).toBeGreaterThan(1)
    expect(top(4)).toEqual(top(5))
    expect(rows(layout)[1]?.x).toBe(SIZES.rowHeight + SIZES.columnGap)
  })

  it('gives a month that shares a row the width that its heading needs', () => {
    const layout = new Layout(
      slots([1, 1, 1], () => 0.5),
      SIZES,
    )
    expect(rows(layout).map(({ x }) => x)).toEqual([0, 180, 360])
  })

  it('lowers a row of months whose photos are wide, and breaks it if they are too wide', () => {
    const [row] = rows(
      new Layout(
        slots([1, 1, 1], () => 1.7),
        SIZES,
      ),
    )
    expect(row?.height).toBeLessThan(SIZES.rowHeight)
    const wide = rows(
      new Layout(
        slots([1, 1, 1], () => 3),
        SIZES,
      ),
    )
    expect(new Set(wide.map(({ y }) => y)).size).toBeGreaterThan(1)
    for (const { height } of wide) expect(height).toBeGreaterThan(SIZES.rowHeight * 0.69)
  })

  it('does not depend on what is loaded in how it groups months', () => {
    const counts = Array.from({ length: 100 }, (_, n) => 1 + ((n * 7) % 5))
    const bands = (photos: Slots) => {
      const layout = new Layout(photos, { ...SIZES, columnWidth: 1 })
      return counts.map((_, month) => layout.headingOf(month)?.x === 0)
    }
    expect(bands(slots(counts, () => 1.2))).toEqual(bands(unknown(counts)))
  })

  it('keeps the rows around photos that are loaded or dropped', () => {
    const counts = [30, 100_000, 5, 7]
    const from = 50_000
    const loaded = (start: number, count: number): Slots => ({
      ...slots(counts, varied),
      loaded: [...Array(count).keys()].map((n) => start + n),
    })
    const relative = (layout: Layout) => {
      const first = layout.rowOf(from)?.y ?? 0
      return layout
        .between(first - 2, first + 4_000)
        .map(({ y, slots }) => [Math.round(y - first), slots])
    }
    const near = relative(new Layout(loaded(from - 60, 1_000), SIZES))
    expect(relative(new Layout(loaded(from - 600, 1_600), SIZES))).toEqual(near)
  })

  it('has room for photos that are not loaded', () => {
    const same = () => 4 / 3
    for (const counts of [[1, 2, 3, 59], [60], [61, 1], [119, 4_000], [1, 1, 1]]) {
      const height = new Layout(unknown(counts), SIZES).height
      expect(new Layout(slots(counts, same), SIZES).height).toBeCloseTo(height, 6)
    }
  })

  it('finds the rows of a million photos by position, slot and month', () => {
    const counts = new Array<number>(240).fill(4_167)
    const photos: Slots = {
      ...slots(counts, varied),
      loaded: [...Array(600).keys()].map((n) => 500_000 + n),
    }
    const layout = new Layout(photos, SIZES)
    expect(layout.height).toBeGreaterThan(33_554_432)
    for (const slot of [0, 59, 60, 4_166, 4_167, 500_000, 500_599, 777_777, 1_000_079]) {
      const row = layout.rowOf(slot) as Block
      const found = layout.between(row.y + 1, row.y + row.height - 1)
      expect(found).toEqual([row])
      expect(row.month).toBe(Math.floor(slot / 4_167))
    }
    const last = layout.rowOf(1_000_079) as Block
    expect(last.y + last.height + SIZES.monthGap).toBeCloseTo(layout.height, 3)
    const heading = layout.headingOf(239) as Block
    expect(layout.between(heading.y, heading.y + 1)).toContainEqual(heading)
  })

  it('lists consecutive rows wherever the window is', () => {
    const layout = new Layout(slots([3, 1, 500, 2, 2, 1, 64], varied), SIZES)
    const whole = all(layout)
    for (let top = -300; top < layout.height; top += 97) {
      const seen = layout.between(top, top + 700)
      expect(seen).toEqual(
        whole.filter((block) => block.y + block.height >= top && block.y <= top + 700),
      )
    }
  })

  it('is empty without photos', () => {
    const layout = new Layout(unknown([]), SIZES)
    expect(layout.height).toBe(0)
    expect(layout.between(0, 100)).toEqual([])
    expect(layout.rowOf(0)).toBeUndefined()
  })

  it('computes a million photos as quickly as a thousand', () => {
    const compute = (perMonth: number) => {
      const total = perMonth * 240
      const loaded = [...Array(Math.min(total, 1_200)).keys()]
      const photos = {
        ...unknown(new Array<number>(240).fill(perMonth)),
        aspectRatio: varied,
        loaded,
      }
      const calls = { count: 0 }
      const counted = { ...photos, aspectRatio: (slot: number) => (calls.count++, varied(slot)) }
      new Layout(counted, SIZES).between(0, 2_000)
      return calls.count
    }
    expect(compute(4_167)).toBeLessThanOrEqual(compute(5) * 2)
  })
})
