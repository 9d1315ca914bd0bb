import { describe, expect, it } from 'vitest'
import { MAX_HEIGHT, ScrollMap } from '../src/grid/scroll-map'

describe('ScrollMap', () => {
  it('changes nothing in a grid that fits into the document', () => {
    for (const height of [0, 1, 900, 80_000, MAX_HEIGHT]) {
      const map = new ScrollMap(height)
      expect(map.documentHeight).toBe(height)
      for (const part of [-0.01, 0, 0.2, 0.5, 0.99, 1]) {
        expect(map.toGrid(height * part)).toBeCloseTo(height * part, 6)
        expect(map.toDocument(height * part)).toBeCloseTo(height * part, 6)
      }
    }
  })

  it('limits the height of the document', () => {
    expect(new ScrollMap(60_000_000).documentHeight).toBe(MAX_HEIGHT)
  })

  it('reaches every position, in order', () => {
    const map = new ScrollMap(60_000_000)
    let before = -1
    for (let top = 0; top <= MAX_HEIGHT; top += 997) {
      const y = map.toGrid(top)
      expect(y).toBeGreaterThan(before)
      expect(map.toDocument(y)).toBeCloseTo(top, 6)
      before = y
    }
    expect(map.toGrid(MAX_HEIGHT)).toBe(60_000_000)
  })

  it('has its real size at both ends', () => {
    const map = new ScrollMap(60_000_000)
    for (const distance of [-56, 0, 1, 900, 30_000]) {
      expect(map.toGrid(distance)).toBe(distance)
      expect(map.toGrid(MAX_HEIGHT - distance)).toBe(60_000_000 - distance)
      expect(map.toDocument(distance)).toBe(distance)
      expect(map.toDocument(60_000_000 - distance)).toBe(MAX_HEIGHT - distance)
    }
  })
})
