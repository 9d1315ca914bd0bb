import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Photo } from '../src/api'

const COUNTS = [4_167, 30, 20, 4_167, 10_000]
const TOTAL = COUNTS.reduce((sum, count) => sum + count, 0)

/** The requested pages, as the month that they start from, `skip` and `limit`. */
const requests: [number, number, number][] = []

vi.mock('../src/bootstrap', () => ({
  bootstrap: { months: COUNTS.map((count, n) => ({ month: `m${n}`, count, after: String(n) })) },
}))
vi.mock('../src/api', () => ({
  fetchPage: (position = { after: '0', skip: 0, limit: 60 }) => {
    const month = Number(position.after)
    requests.push([month, position.skip, position.limit])
    const start = COUNTS.slice(0, month).reduce((sum, count) => sum + count, position.skip)
    const photos = Array.from({ length: Math.min(position.limit, TOTAL - start) }, (_, n) => ({
      id: 1 + start + n,
    }))
    return Promise.resolve(photos as Photo[])
  },
}))

const { Album } = await import('../src/album')

beforeEach(() => requests.splice(0))

const loaded = (album: InstanceType<typeof Album>) => [...album.photos.keys()]

describe('Album', () => {
  it('has the nth photo of the list in slot n', async () => {
    const album = new Album()
    for (const slot of [0, 4_166, 4_167, 4_200, 8_383, 8_384, TOTAL - 1]) {
      await album.load(slot, slot + 1)
      expect(album.photos.get(slot)?.id).toBe(slot + 1)
      expect(album.slotOf(slot + 1)).toBe(slot)
    }
  })

  it('loads the oldest month without skipping the photos of another', async () => {
    const album = new Album()
    const start = TOTAL - 10_000
    await album.loadVisible(start, start + 20)
    expect(requests).toEqual([[4, 0, 60]])
  })

  it('drops photos that are far from those in view', async () => {
    const album = new Album()
    for (let slot = 0; slot < TOTAL - 60; slot += 50) {
      await album.loadVisible(slot, slot + 60)
      for (let n = slot; n < slot + 60; n++) expect(album.photos.has(n)).toBe(true)
      expect(album.photos.size).toBeLessThan(2 * 600 + 4 * 60)
    }
  })

  it('keeps those of the viewer, a hidden one, and the one with the focus', async () => {
    const album = new Album()
    await album.load(5_000, 5_001)
    await album.loadVisible(0, 20)
    album.hide(7)
    album.pinned = 8
    await album.load(12_000, 12_001)
    await album.loadVisible(9_000, 9_020)
    expect(loaded(album)).toContain(12_000)
    expect(loaded(album)).toContain(6)
    expect(loaded(album)).toContain(8)
    expect(loaded(album)).not.toContain(9)
    expect(loaded(album)).not.toContain(5_000)
    expect(album.hiddenSlots()).toEqual([6])
  })

  it('moves the slots after a deleted photo', async () => {
    const album = new Album()
    await album.load(0, 60)
    album.remove(11)
    expect(album.total).toBe(TOTAL - 1)
    expect(album.photos.get(9)?.id).toBe(10)
    expect(album.photos.get(10)?.id).toBe(12)
    expect(album.photos.size).toBe(59)
  })
})
