import { thumbHashToAverageRGBA, thumbHashToDataURL } from 'thumbhash'
import type { Photo } from '../api'

const MAX_PLACEHOLDERS = 2_000
/** Wider originals are too large to be shown in place of a rendition. */
const MAX_ORIGINAL_WIDTH = 1600

const placeholders = new Map<string, string>()

/** Return a blurred preview of a photo, as a data URL. */
export function placeholder(photo: Photo): string | undefined {
  const hash = photo.thumbhash
  if (!hash) return undefined
  const url = placeholders.get(hash) ?? thumbHashToDataURL(bytesOf(hash))
  if (placeholders.size > MAX_PLACEHOLDERS) placeholders.clear()
  placeholders.set(hash, url)
  return url
}

/** Return a photo's average colour, which is much faster to compute. */
export function averageColour(photo: Photo): string | undefined {
  if (!photo.thumbhash) return undefined
  const { r, g, b } = thumbHashToAverageRGBA(bytesOf(photo.thumbhash))
  return `rgb(${[r, g, b].map((part) => Math.round(part * 255)).join(' ')})`
}

const bytesOf = (hash: string): Uint8Array =>
  Uint8Array.from(atob(hash), (character) => character.charCodeAt(0))

/** Return the images of a photo for a `srcset`, the smallest first. */
export function sources(photo: Photo): { width: number; url: string }[] {
  const images = photo.renditions.map(({ width, url }) => ({ width, url }))
  const largest = Math.max(0, ...images.map(({ width }) => width))
  // A small photo has few renditions: add the original, if browsers can show its format.
  if (
    photo.photo_url === photo.original_url &&
    largest < photo.width &&
    photo.width <= MAX_ORIGINAL_WIDTH
  ) {
    images.push({ width: photo.width, url: photo.original_url })
  }
  return images.sort((a, b) => a.width - b.width)
}

export const srcset = (photo: Photo): string | undefined =>
  sources(photo)
    .map(({ width, url }) => `${url} ${width}w`)
    .join(', ') || undefined
