/** All that the gallery says, in one place. */

import type { Photo } from './api'

const DATES = 'en-GB'
const WHOLE = new Intl.NumberFormat(DATES)
const MONTH = new Intl.DateTimeFormat(DATES, { month: 'long', year: 'numeric', timeZone: 'UTC' })
const DAY = new Intl.DateTimeFormat(DATES, { dateStyle: 'long' })
const UTC_TIME = new Intl.DateTimeFormat(DATES, {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
})
const TIME = new Intl.DateTimeFormat(DATES, { dateStyle: 'long', timeStyle: 'short' })

export const count = (number: number): string =>
  number === 1 ? '1 photo' : `${WHOLE.format(number)} photos`

export const month = (written: string): string => MONTH.format(new Date(`${written}-01T00:00:00Z`))

export const monthAlone = (written: string): string => month(written).replace(/ \d+$/, '')

export const day = (at: string): string => DAY.format(new Date(at))

/** The time that the camera's clock showed, wherever the reader is. */
export const taken = (at: string): string => UTC_TIME.format(new Date(`${at.slice(0, 19)}Z`))

export const moment = (at: string): string => TIME.format(new Date(at))

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`
  if (size < 1_000_000) return `${Math.round(size / 1000)} KB`
  return `${(size / 1_000_000).toFixed(size < 10_000_000 ? 1 : 0)} MB`
}

export const rate = (perSecond: number): string => `${bytes(perSecond)}/s`

export const name = (photo: Photo): string =>
  photo.title ||
  photo.filename ||
  (photo.taken_at ? `Photo of ${taken(photo.taken_at)}` : 'Photo without a title')

export const pageTitle = (photo?: Photo): string =>
  photo ? `${name(photo)} · Safelight` : 'Photos · Safelight'

export const texts = {
  brand: 'Safelight',
  skip: 'Skip to the photos',
  photos: 'Photos',
  upload: 'Add photos',
  uploadShort: 'Add',
  camera: 'Take a photo',
  signOut: 'Sign out',
  jump: 'Go to month',
  dropHere: 'Drop them anywhere',
  emptyTitle: 'No photos yet',
  emptyText: 'Drop photos anywhere on this page, paste them, or choose some.',
  plainForm: 'There is a plain form, too.',
  offline: 'You are offline. What has loaded stays; the rest comes when you are back.',
  failed: 'The photos could not be loaded.',
  retry: 'Try again',
  signInTitle: 'Sign in',
  signInWhere: 'Your session has ended. When Safelight starts, it says where the token is.',
  token: 'Token',
  deleted: (photo: string) => `“${photo}” is deleted.`,
  notDeleted: (photo: string) => `“${photo}” could not be deleted.`,
  undo: 'Undo',
  undone: 'It is back.',
  dismiss: 'Dismiss',
  gone: 'That photo is not there any more.',

  viewer: 'Photo viewer',
  close: 'Close',
  zoom: 'Zoom',
  previous: 'Previous photo',
  next: 'Next photo',
  details: 'Details',
  title: 'Title',
  titleHint: 'Add a title',
  description: 'Description',
  descriptionHint: 'Add a description',
  saved: 'Saved.',
  notSaved: 'Not saved:',
  takenAt: 'Taken',
  addedAt: 'Added',
  cameraModel: 'Camera',
  dimensions: 'Size',
  file: 'File',
  duration: 'Length',
  seconds: (number: number) => `${number.toFixed(1)} s`,
  download: 'Download original',
  delete: 'Delete',
  share: 'Copy link',
  shareOriginal: 'Copy link to the original',
  shareHint: (until: string) => `Anybody who has the link sees the photo until ${until}.`,
  copied: (until: string) => `Copied. The link works until ${until}.`,
  copiedOriginal: (until: string) => `Copied. The link to the original works until ${until}.`,
  notCopied: 'Copying is not allowed here: take it from this field.',
  located:
    'The original says where it was taken, and whoever has the link can read that. Copy it all the same?',
  copyIt: 'Copy it',
  cancel: 'Cancel',
  broken: 'The photo could not be loaded.',

  tray: 'Uploads',
  trayBusy: (done: number, all: number) => `Adding photos: ${done} of ${all}`,
  trayDone: (done: number) => (done === 1 ? '1 photo added' : `${WHOLE.format(done)} photos added`),
  trayTrouble: (number: number) =>
    number === 1 ? '1 could not be added' : `${WHOLE.format(number)} could not be added`,
  hide: 'Hide the list',
  show: 'Show the list',
  clear: 'Close',
  pause: 'Pause',
  resume: 'Resume',
  pauseAll: 'Pause all',
  resumeAll: 'Resume all',
  retryAll: 'Try again',
  cancelAll: 'Cancel all',
  of: (action: string, file: string) => `${action}: ${file}`,
  waiting: 'Waiting',
  reserving: 'Preparing',
  sending: 'Sending',
  paused: 'Paused',
  stalled: 'Waiting for the network',
  checking: 'Checking',
  done: 'Added',
  twin: 'You have this photo already',
  cancelled: 'Cancelled',
  noPhoto: 'This is not a photo of an accepted format.',
  unreachable: 'The server could not be reached.',
  storeUnreachable: 'The photo store could not be reached.',
  wrong: 'Something went wrong.',
}
