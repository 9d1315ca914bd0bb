/**
 * The texts of the first screen. All others are in texts-later.ts. The build for a language takes
 * both from its file in languages/.
 */

import type { Photo } from './api'
import { formatTaken } from './formats'
import { first } from './languages/en'

export * from './formats'

export const texts = { brand: 'Safelight', ...first }

export const { photoCount } = first

export const photoName = (photo: Photo): string =>
  photo.title ||
  photo.filename ||
  (photo.taken_at ? texts.takenAtTime(formatTaken(photo.taken_at)) : texts.untitled)

export const animationBadge = (photo: Photo): string =>
  photo.content_type === 'image/gif' ? 'GIF' : texts.animated

/** How long a photo stays in the trash. */
export const daysLeft = (time: string): string =>
  texts.dayCount(Math.max(0, Math.ceil((Date.parse(time) - Date.now()) / 864e5)))

export const pageTitle = (name: string): string => `${name} · ${texts.brand}`
