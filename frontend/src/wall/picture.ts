import { thumbHashToAverageRGBA, thumbHashToDataURL } from 'thumbhash'
import type { Photo } from '../api'

const sketches = new Map<string, string>()

/** A few blurred colours to look at until the photo is there; a data URL. */
export function sketch(photo: Photo): string | undefined {
  const hash = photo.thumbhash
  if (!hash) return undefined
  const drawn = sketches.get(hash) ?? thumbHashToDataURL(bytesOf(hash))
  if (sketches.size > 2_000) sketches.clear()
  sketches.set(hash, drawn)
  return drawn
}

/** Its main colour, which takes no time to find. */
export function colour(photo: Photo): string | undefined {
  if (!photo.thumbhash) return undefined
  const { r, g, b } = thumbHashToAverageRGBA(bytesOf(photo.thumbhash))
  return `rgb(${[r, g, b].map((part) => Math.round(part * 255)).join(' ')})`
}

const bytesOf = (hash: string): Uint8Array =>
  Uint8Array.from(atob(hash), (character) => character.charCodeAt(0))

const SMALL_ORIGINAL = 1600

/** What an `<img>` may choose from, the smallest first. */
export function sources(photo: Photo): { width: number; url: string }[] {
  const made = photo.renditions.map(({ width, url }) => ({ width, url }))
  const largest = Math.max(0, ...made.map(({ width }) => width))
  // A small photo has few renditions, and is itself the best of them, if browsers show it.
  if (
    photo.photo_url === photo.original_url &&
    largest < photo.width &&
    photo.width <= SMALL_ORIGINAL
  ) {
    made.push({ width: photo.width, url: photo.original_url })
  }
  return made.sort((a, b) => a.width - b.width)
}

export const srcset = (photo: Photo): string | undefined =>
  sources(photo)
    .map(({ width, url }) => `${url} ${width}w`)
    .join(', ') || undefined
