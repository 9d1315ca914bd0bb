/** The texts of the first screen. All others are in texts-later.ts. */

import type { Photo } from './api'

export const LOCALE = 'en-GB'
const INTEGER = new Intl.NumberFormat(LOCALE)
const MONTH = new Intl.DateTimeFormat(LOCALE, { month: 'long', year: 'numeric', timeZone: 'UTC' })
const UTC_TIME = new Intl.DateTimeFormat(LOCALE, {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
})

export const formatInteger = (number: number): string => INTEGER.format(number)

export const photoCount = (number: number): string =>
  number === 1 ? '1 photo' : `${formatInteger(number)} photos`

/** `month` is YYYY-MM. */
export const monthAndYear = (month: string): string =>
  MONTH.format(new Date(`${month}-01T00:00:00Z`))

export const monthName = (month: string): string => monthAndYear(month).replace(/ \d+$/, '')

/** The time on the camera's clock, whatever the reader's time zone. */
export const formatTaken = (time: string): string =>
  UTC_TIME.format(new Date(`${time.slice(0, 19)}Z`))

export const photoName = (photo: Photo): string =>
  photo.title ||
  photo.filename ||
  (photo.taken_at ? `Photo taken ${formatTaken(photo.taken_at)}` : 'Untitled photo')

export const animationBadge = (photo: Photo): string =>
  photo.content_type === 'image/gif' ? 'GIF' : 'Animated'

/** How long a photo stays in the trash. */
export const daysLeft = (time: string): string => {
  const days = Math.max(0, Math.ceil((Date.parse(time) - Date.now()) / 864e5))
  return days === 1 ? '1 day' : `${days} days`
}

export const pageTitle = (name: string): string => `${name} · ${texts.brand}`

export const texts = {
  brand: 'Safelight',
  skip: 'Skip to the photos',
  views: 'Views',
  photos: 'Photos',
  search: 'Search',
  recent: 'Recently added',
  albums: 'Albums',
  trash: 'Trash',
  upload: 'Add photos',
  camera: 'Take a photo',
  signOut: 'Sign out',
  dropHere: 'Drop photos anywhere',
  offline: 'You are offline. More photos will load when you are back online.',
  notLoaded: 'The photos could not be loaded.',
  retry: 'Try again',
  dismiss: 'Dismiss',
  outdated: 'Safelight has been updated. Reload the page to continue.',
  reload: 'Reload',
  codeNotLoaded: 'A part of the page could not be loaded. Check your connection.',
  filesKept: 'The upload could not be started. The photos are kept, and it is tried again.',
  filesOutdated: 'Safelight has been updated. Reload the page, then add the photos again.',
  gone: 'This photo no longer exists.',
  serverUnreachable: 'The server could not be reached. Check your connection.',
  unknownError: 'Something went wrong. Try again.',
}
