import { thumbHashToDataURL } from 'thumbhash'
import type { Photo } from '../api'
import { bytesOf } from './images'

const MAX_PLACEHOLDERS = 2_000

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
