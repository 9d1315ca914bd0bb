import { describe, expect, it } from 'vitest'
import { MonthIndex } from '../src/month-index'

const index = (counts: number[]) =>
  new MonthIndex(counts.map((count, n) => ({ month: `m${n}`, count, after: '' })))

describe('MonthIndex', () => {
  it('finds the month of a slot', () => {
    const months = index([3, 1, 500])
    expect([0, 2, 3, 4, 503].map((slot) => months.monthOf(slot))).toEqual([0, 0, 1, 2, 2])
    expect(months.starts).toEqual([0, 3, 4])
    expect(months.total).toBe(504)
  })

  it('has each slot in one page of at most 60', () => {
    for (const counts of [
      [1],
      [60],
      [61],
      [3, 1, 500, 7],
      [59, 4_000, 1, 1],
      [20, 20, 20, 20, 20],
    ]) {
      const months = index(counts)
      let page = 0
      while (page < months.total) {
        const length = months.pageLength(page)
        expect(length).toBeGreaterThan(0)
        expect(length).toBeLessThanOrEqual(60)
        for (let slot = page; slot < page + length; slot++) expect(months.pageOf(slot)).toBe(page)
        page += length
      }
      expect(page).toBe(months.total)
    }
  })

  it('begins with a page of 60, which the HTML preloads', () => {
    for (const counts of [[60], [500], [3, 500], [59, 1, 70]]) {
      expect(index(counts).pageLength(0)).toBe(60)
    }
  })

  it('begins a page near the start of every large month', () => {
    const months = index([4_167, 4_167, 30, 4_167])
    for (const start of months.starts) expect(start - months.pageOf(start)).toBeLessThan(60)
    expect(months.pageOf(4_167)).toBe(4_167)
  })
})
