import type { Photo } from '../api'

/** Wider originals are too large to be shown in place of a rendition. */
const MAX_ORIGINAL_WIDTH = 1600
/** The height of a tile at two pixels per CSS pixel. */
const TILE_HEIGHT = 460
/** What a browser may decode for one tile of a panorama, at 4 bytes per pixel: 80 MB. */
const MAX_TILE_PIXELS = 20_000_000

/** Return a photo's average colour, from the head of its ThumbHash. */
export function averageColour(photo: Photo): string | undefined {
  if (!photo.thumbhash) return undefined
  const [first = 0, second = 0, third = 0] = bytesOf(photo.thumbhash)
  const head = first | (second << 8) | (third << 16)
  const luminance = (head & 63) / 63
  const yellowness = ((head >> 6) & 63) / 31.5 - 1
  const redness = ((head >> 12) & 63) / 31.5 - 1
  const blue = luminance - (2 / 3) * yellowness
  const red = (3 * luminance - blue + redness) / 2
  const parts = [red, red - redness, blue].map((part) =>
    Math.round(Math.min(1, Math.max(0, part)) * 255),
  )
  return `rgb(${parts.join(' ')})`
}

export const bytesOf = (hash: string): Uint8Array =>
  Uint8Array.from(atob(hash), (character) => character.charCodeAt(0))

export interface Source {
  width: number
  url: string
}

/** Return the renditions of a photo, the smallest first, and the original if it has more pixels. */
export function sources(photo: Photo, isOriginalWanted: (largest: number) => boolean): Source[] {
  const images = photo.renditions.map(({ width, url }) => ({ width, url }))
  const largest = Math.max(0, ...images.map(({ width }) => width))
  if (photo.displayable && largest < photo.width && isOriginalWanted(largest)) {
    images.push({ width: photo.width, url: photo.original_url })
  }
  return images.sort((a, b) => a.width - b.width)
}

/**
 * Return the images for a tile: with the original of a small photo, which has few renditions, and of
 * a panorama whose renditions are lower than the tile.
 */
export const tileSources = (photo: Photo): Source[] =>
  sources(
    photo,
    (largest) =>
      photo.width <= MAX_ORIGINAL_WIDTH ||
      ((largest * photo.height) / photo.width < TILE_HEIGHT &&
        photo.width * photo.height <= MAX_TILE_PIXELS),
  )

/** Return the width at which a photo covers a tile, which crops panoramas. */
export const coverWidth = (photo: Photo, width: number, height: number): number =>
  Math.max(width, (height * photo.width) / photo.height)

export const srcset = (images: Source[]): string | undefined =>
  images.map(({ width, url }) => `${url} ${width}w`).join(', ') || undefined
