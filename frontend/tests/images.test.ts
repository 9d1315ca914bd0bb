import { describe, expect, it } from 'vitest'
import type { Photo } from '../src/api'
import { thumbHashToAverageRGBA } from 'thumbhash'
import { averageColour, bytesOf, coverWidth, tileSources } from '../src/grid/images'
import { atLeast, zoomSources } from '../src/viewer/sources'

function photo(width: number, height: number, changes: Partial<Photo> = {}): Photo {
  const renditions = [320, 640, 1280]
    .filter((side) => side < width)
    .map((side) => ({
      name: `w${side}`,
      width: side,
      height: 1,
      content_type: '',
      url: `w${side}`,
    }))
  const facts = { id: 7, width, height, displayable: true, original_url: 'original', renditions }
  return { ...facts, ...changes } as Photo
}

const urls = (images: { url: string }[]) => images.map(({ url }) => url)

describe('averageColour', () => {
  it.each([
    '1QcSHQRnh493V4dIh4eXh1h4kJUI',
    '3OcRJYB4d3h/iIeHeEh3eIhw+j2w',
    'YJqGPQw7sFlslqhFafSE+Q6oJ1h2iHB2Rw==',
  ])('is that of the ThumbHash: %s', (thumbhash) => {
    const { r, g, b } = thumbHashToAverageRGBA(bytesOf(thumbhash))
    const expected = [r, g, b].map((part) => Math.round(part * 255)).join(' ')
    expect(averageColour({ thumbhash } as Photo)).toBe(`rgb(${expected})`)
  })
})

describe('coverWidth', () => {
  it('is the width of the photo at the height of a tile that crops it', () => {
    expect(coverWidth(photo(18_000, 1_000), 736, 230)).toBe(4_140)
    expect(coverWidth(photo(1_000, 18_000), 104, 230)).toBe(104)
  })
})

describe('tileSources', () => {
  it('has the original of a panorama whose renditions are too low', () => {
    expect(urls(tileSources(photo(18_000, 1_000))).at(-1)).toBe('original')
    expect(urls(tileSources(photo(12_000, 3_000))).at(-1)).toBe('w1280')
    expect(urls(tileSources(photo(40_000, 2_000))).at(-1)).toBe('w1280')
  })
})

describe('zoomSources', () => {
  const demand: Parameters<typeof zoomSources>[1] = { root: '/x', presets: [['w2560', 2560, 1080]] }
  const large = '/x/api/photos/7/w2560'

  it('has the original if browsers show it and can decode it', () => {
    const last = (shown: Photo) => urls(zoomSources(shown, demand)).at(-1)
    expect(last(photo(8_000, 6_000))).toBe('original')
    expect(last(photo(16_000, 12_000))).toBe(large)
    expect(last(photo(8_000, 6_000, { displayable: false }))).toBe(large)
    expect(last(photo(8_000, 6_000, { located: true }))).toBe('original')
  })

  it('has an original of 200 megapixels if the machine has the memory', () => {
    const last = (shown: Photo, gigabytes: number) =>
      urls(zoomSources(shown, demand, gigabytes)).at(-1)
    expect(last(photo(16_320, 12_240), 4)).toBe(large)
    expect(last(photo(16_320, 12_240), 8)).toBe('original')
    expect(last(photo(20_000, 12_240), 8)).toBe(large)
    expect(last(photo(16_320, 12_240, { displayable: false }), 8)).toBe(large)
  })

  it('has what is made on demand, in the order of width', () => {
    const images = zoomSources(photo(8_000, 6_000), demand)
    expect(images.map(({ width }) => width)).toEqual([320, 640, 1280, 2560, 8_000])
    expect(urls(images)[3]).toBe(large)
    expect(urls(zoomSources(photo(8_000, 6_000), { root: '', presets: [] }))).not.toContain(large)
  })

  it('knows the minimum height of a panorama', () => {
    const widths = (shown: Photo) => zoomSources(shown, demand).map(({ width }) => width)
    expect(widths(photo(16_382, 3_628, { displayable: false })).at(-1)).toBe(4_877)
    expect(widths(photo(18_000, 1_000, { displayable: false })).at(-1)).toBe(16_383)
    expect(widths(photo(2_000, 1_000, { displayable: false })).at(-1)).toBe(2_000)
  })

  it('asks for no other rendition of a photo that has one of its own width', () => {
    const small = photo(1_000, 800, {
      displayable: false,
      renditions: [{ name: 'w1280', width: 1_000, height: 800, content_type: '', url: 'w1280' }],
    })
    expect(urls(zoomSources(small, demand))).toEqual(['w1280'])
  })
})

describe('atLeast', () => {
  it('is the smallest image that is wide enough, or the largest', () => {
    const images = [320, 640].map((width) => ({ width, url: `w${width}` }))
    expect(atLeast(images, 320)?.url).toBe('w320')
    expect(atLeast(images, 321)?.url).toBe('w640')
    expect(atLeast(images, 641)?.url).toBe('w640')
    expect(atLeast([], 1)).toBeUndefined()
  })
})
