import { beforeEach, describe, expect, it } from 'vitest'
import type { Month, Photo } from '../src/api'
import { PhotoList } from '../src/photo-list'
import type { Source } from '../src/source'

const COUNTS = [4_167, 30, 20, 4_167, 10_000]
const MONTHS = COUNTS.map((count, n) => ({ month: `m${n}`, count, after: String(n) }))
const TOTAL = COUNTS.reduce((sum, count) => sum + count, 0)

/** The requested pages, as the month that they start from, `skip` and `limit`. */
const requests: [number, number, number][] = []

const source: Source = {
  sections: () => Promise.resolve(MONTHS),
  page: ({ after, skip, limit } = { after: '0', skip: 0, limit: 60 }) => {
    requests.push([Number(after), skip, limit])
    const start = COUNTS.slice(0, Number(after)).reduce((sum, count) => sum + count, skip)
    const photos = Array.from({ length: Math.min(limit, TOTAL - start) }, (_, n) => ({
      id: 1 + start + n,
    }))
    return Promise.resolve(photos as Photo[])
  },
}

beforeEach(() => requests.splice(0))

const loaded = (list: PhotoList) => [...list.photos.keys()]

describe('PhotoList', () => {
  it('has the nth photo of the list in slot n', async () => {
    const list = new PhotoList(source, MONTHS)
    for (const slot of [0, 4_166, 4_167, 4_200, 8_383, 8_384, TOTAL - 1]) {
      await list.load(slot, slot + 1)
      expect(list.photos.get(slot)?.id).toBe(slot + 1)
      expect(list.slotOf(slot + 1)).toBe(slot)
    }
  })

  it('loads the oldest month without skipping the photos of another', async () => {
    const list = new PhotoList(source, MONTHS)
    const start = TOTAL - 10_000
    await list.loadVisible(start, start + 20)
    expect(requests).toEqual([[4, 0, 60]])
  })

  it('drops photos that are far from those in view', async () => {
    const list = new PhotoList(source, MONTHS)
    for (let slot = 0; slot < TOTAL - 60; slot += 50) {
      await list.loadVisible(slot, slot + 60)
      for (let n = slot; n < slot + 60; n++) expect(list.photos.has(n)).toBe(true)
      expect(list.photos.size).toBeLessThan(2 * 600 + 4 * 60)
    }
  })

  it('keeps those of the viewer, a hidden one, and the one with the focus', async () => {
    const list = new PhotoList(source, MONTHS)
    await list.load(5_000, 5_001)
    await list.loadVisible(0, 20)
    list.hide(7)
    list.pinned = 8
    await list.load(12_000, 12_001)
    await list.loadVisible(9_000, 9_020)
    expect(loaded(list)).toContain(12_000)
    expect(loaded(list)).toContain(6)
    expect(loaded(list)).toContain(8)
    expect(loaded(list)).not.toContain(9)
    expect(loaded(list)).not.toContain(5_000)
    expect(list.hiddenSlots()).toEqual([6])
  })

  it('moves the slots after a deleted photo', async () => {
    const list = new PhotoList(source, MONTHS)
    await list.load(0, 60)
    list.remove(11)
    expect(list.total).toBe(TOTAL - 1)
    expect(list.photos.get(9)?.id).toBe(10)
    expect(list.photos.get(10)?.id).toBe(12)
    expect(list.photos.size).toBe(59)
  })

  it('loads what a refresh kept again when it comes into view', async () => {
    const list = new PhotoList(source, MONTHS)
    await list.load(300, 301)
    await list.loadVisible(0, 60)
    await list.refresh()
    expect(list.photos.get(300)?.id).toBe(301)
    requests.splice(0)
    await list.loadVisible(300, 301)
    await list.loadVisible(300, 301)
    expect(requests).toEqual([[0, 300, 60]])
  })

  it('keeps the followed photo loaded in its new slot', async () => {
    let added = 0
    const months = () =>
      MONTHS.map((month, n) => ({ ...month, count: month.count + (n ? 0 : added) }))
    const growing: Source = {
      sections: () => Promise.resolve(months()),
      page: async ({ after, skip, limit } = { after: '0', skip: 0, limit: 60 }) =>
        source.page({ after, skip: after === '0' ? Math.max(0, skip - added) : skip, limit }),
    }
    const list = new PhotoList(growing, MONTHS)
    await list.loadVisible(0, 60)
    await list.load(300, 301)
    list.followed = 301
    added = 2
    await list.refresh()
    expect(list.slotOf(301)).toBe(302)
    expect(list.photos.has(299) && list.photos.has(305)).toBe(true)
  })

  it('shows another source, and the first one again as it was left', async () => {
    const list = new PhotoList(source, MONTHS)
    await list.loadVisible(5_000, 5_020)
    list.anchor = 'far down'
    const few = [{ month: '', count: 2, after: '4' }]
    const other = { ...source, sections: () => Promise.resolve(few) }
    list.show(other)
    expect([list.isReady, list.total, list.photos.size]).toEqual([false, 0, 0])
    await list.refresh()
    expect([list.isReady, list.total, list.anchor]).toEqual([true, 2, undefined])
    list.show(source)
    expect([list.isReady, list.total, list.anchor]).toEqual([true, TOTAL, 'far down'])
    expect(list.photos.get(5_000)?.id).toBe(5_001)
  })

  it('ignores a late answer of a source that is no longer shown', async () => {
    const list = new PhotoList(source, MONTHS)
    let answer: (months: Month[]) => void = () => {}
    const slow = {
      ...source,
      sections: () => new Promise<Month[]>((resolve) => (answer = resolve)),
    }
    list.show(slow)
    const late = list.refresh()
    list.show(source)
    answer([])
    await late
    await list.refresh()
    expect([list.source, list.total]).toEqual([source, TOTAL])
  })
})
