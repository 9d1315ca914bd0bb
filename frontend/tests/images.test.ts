import { describe, expect, it } from 'vitest'
import type { Photo } from '../src/api'
import { thumbHashToAverageRGBA } from 'thumbhash'
import { averageColour, bytesOf, coverWidth, tileSources, zoomSources } from '../src/grid/images'

function photo(width: number, height: number, changes: Partial<Photo> = {}): Photo {
  const renditions = [320, 640, 1280, 2560]
    .filter((side) => side < width)
    .map((side) => ({
      name: `w${side}`,
      width: side,
      height: 1,
      content_type: '',
      url: `w${side}`,
    }))
  const facts = { width, height, displayable: true, original_url: 'original', renditions }
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
    expect(urls(tileSources(photo(12_000, 3_000))).at(-1)).toBe('w2560')
    expect(urls(tileSources(photo(40_000, 2_000))).at(-1)).toBe('w2560')
  })
})

describe('zoomSources', () => {
  it('has the original if browsers show it and can decode it', () => {
    expect(urls(zoomSources(photo(8_000, 6_000))).at(-1)).toBe('original')
    expect(urls(zoomSources(photo(16_000, 12_000))).at(-1)).toBe('w2560')
    expect(urls(zoomSources(photo(8_000, 6_000, { displayable: false }))).at(-1)).toBe('w2560')
    expect(urls(zoomSources(photo(8_000, 6_000, { located: true }))).at(-1)).toBe('original')
  })
})
