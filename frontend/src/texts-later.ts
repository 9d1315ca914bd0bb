/** All texts: those of the first screen, and those of the code that is loaded later. */

import { formatInteger, LOCALE, photoCount, texts as firstTexts } from './texts'

export * from './texts'

const DAY = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'long' })
const TIME = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'long', timeStyle: 'short' })

export const formatDay = (time: string): string => DAY.format(new Date(time))

/** The offset of a time as it ends with, such as `+02:00`; empty if it has none. */
export const offsetOf = (time: string | null): string =>
  /(Z|[+-]\d\d:\d\d)$/.exec(time ?? '')?.[0] ?? ''

export const formatOffset = (offset: string): string =>
  offset === 'Z' || offset === '+00:00' ? 'UTC' : `UTC${offset.replace('-', '−')}`

export const formatTime = (time: string): string => TIME.format(new Date(time))

export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} KB`
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`
}

export const formatRate = (bytesPerSecond: number): string => `${formatSize(bytesPerSecond)}/s`

export const texts = {
  ...firstTexts,
  emptyTitle: 'No photos yet',
  emptyText: 'Drop photos anywhere on this page, paste them, or use the + button.',
  simplePage: 'Use the simple upload page instead',
  goToMonth: 'Go to month',

  searchPhotos: 'Search photos',
  foundFor: (typed: string) => `Search: ${typed}`,
  found: (number: number) => `${photoCount(number)} found`,
  nothingFound: 'No photos found.',
  searchHint:
    'Search titles, descriptions, file names and cameras, or a year or month, such as “beach 2019”.',

  signIn: 'Sign in',
  sessionEnded:
    'Your session has ended. To see the access token, run “safelight token show” on the server.',
  token: 'Token',
  deleted: (photo: string) => `Deleted “${photo}”.`,
  notDeleted: (photo: string) => `“${photo}” could not be deleted.`,
  undo: 'Undo',
  restored: (photo: string) => `Restored “${photo}”.`,

  album: 'Album',
  newAlbum: 'New album',
  newAlbumTitle: 'Title of a new album',
  createAlbum: 'Create album',
  albumsNotLoaded: 'The albums could not be loaded.',
  noAlbums: 'No albums yet. An album shows photos in an order of your own.',
  noSuchAlbum: 'This album doesn’t exist.',
  albumTitle: 'Title of the album',
  renameAlbum: 'Rename',
  deleteAlbum: 'Delete album',
  deleteAlbumEllipsis: 'Delete album …',
  deleteAlbumQuestion: 'Delete this album? Its photos stay.',
  emptyAlbum: 'No photos in this album.',
  emptyAlbumHint: 'Select photos in another view, and choose “Add to album”.',
  add: 'Add',
  addToAlbum: 'Add to album',
  addToAlbumQuestion: (photos: string) => `Add ${photos} to`,
  addedToAlbum: (photos: string) => `Added ${photos} to the album.`,
  notAddedToAlbum: (photos: string) => `${photos} could not be added to the album.`,
  removeFromAlbum: 'Remove from album',
  removedFromAlbum: (photos: string) => `Removed ${photos} from the album.`,
  notRemovedFromAlbum: (photos: string) => `${photos} could not be removed from the album.`,

  trashHint: (days: number) =>
    `Photos are deleted for good ${days} days after they were moved here. All links to them have stopped working; a restored photo has new ones.`,
  revokingHint:
    'The photo store is unavailable or full, so some old links still work. They stop working as soon as it is not.',
  emptyTrash: 'Empty the trash …',
  emptyTrashQuestion: (number: number) =>
    `Delete ${photoCount(number)} for good? This can’t be undone.`,
  emptying: 'Deleting …',
  notEmptied: 'The trash could not be emptied.',
  trashIsEmpty: 'The trash is empty.',
  deletedForGoodOn: (day: string) => `Deleted for good on ${day}.`,
  restore: 'Restore',
  deleteForGood: 'Delete for good',
  deleteForGoodEllipsis: 'Delete for good …',
  cannotBeUndone: 'This can’t be undone.',
  revoke: 'Revoke all links',
  revokeEllipsis: 'Revoke all links …',
  revokeHint:
    'All links to this photo that were given out stop working. Copies that a browser or a person has saved can’t be called back.',
  revoked: 'All links given out so far have stopped working.',
  notRevoked: 'The links could not be revoked.',

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
  unknownDate: 'Unknown',
  changeDate: 'Change',
  keepsOffset: (offset: string) => `In the time zone of the camera, ${offset}.`,
  restoreDate: 'Restore the original date',
  dateSources: {
    exif: '',
    xmp: '',
    filename: 'From the file’s name',
    file: 'From the date of the file',
    user: 'Changed by you',
  },
  save: 'Save',
  addedAt: 'Added',
  cameraModel: 'Camera',
  dimensions: 'Size',
  file: 'File',
  place: 'Location',
  placeInOriginal: 'In the original file',
  duration: 'Duration',
  seconds: (number: number) => `${number.toFixed(1)} s`,
  download: 'Download original',
  delete: 'Delete',
  share: 'Copy link',
  shareOriginal: 'Copy link to the original',
  shareHint: (until: string) => `Anyone with the link can see this photo until ${until}.`,
  copied: (until: string) => `Copied. The link works until ${until}.`,
  copiedOriginal: (until: string) => `Copied. The link to the original works until ${until}.`,
  notCopied: 'Your browser did not allow copying. Copy the link from this field.',
  location:
    'The original file contains the place where it was taken, and anyone with the link can read it.',
  notDisplayable: 'Some browsers do not show the original correctly.',
  copyAnywayQuestion: 'Copy the link anyway?',
  copyAnyway: 'Copy anyway',
  cancel: 'Cancel',
  photoNotLoaded: 'This photo could not be loaded.',

  uploads: 'Uploads',
  adding: (finished: number, all: number) => `Adding photos: ${finished} of ${all}`,
  added: (number: number) => `${photoCount(number)} added`,
  present: (number: number) => `${formatInteger(number)} already there`,
  refused: (number: number) => `${formatInteger(number)} refused`,
  showRecent: 'Show recently added',
  interrupted: (number: number) =>
    number === 1
      ? 'An upload was interrupted. Add the photo again to continue.'
      : `${formatInteger(number)} uploads were interrupted. Add the photos again; those that have arrived are not sent twice.`,
  chooseFiles: 'Choose photos',
  notAdded: (number: number) => `${formatInteger(number)} could not be added`,
  noneAdded: 'No photos added',
  leftOut: (number: number) =>
    number === 1
      ? '1 file is not a photo and was left out.'
      : `${formatInteger(number)} files are not photos and were left out.`,
  hideList: 'Hide the list',
  showList: 'Show the list',
  pause: 'Pause',
  resume: 'Resume',
  cancelAll: 'Cancel all',
  actionOn: (action: string, file: string) => `${action}: ${file}`,
  waiting: 'Waiting',
  reserving: 'Preparing',
  sending: 'Sending',
  paused: 'Paused',
  stalled: 'Waiting for the network',
  checking: 'Checking',
  done: 'Added',
  duplicate: 'You already have this photo',
  storeUnreachable: 'The photo store could not be reached. Check your connection.',

  selection: 'Selected photos',
  select: (photo: string) => `Select ${photo}`,
  selected: (photos: string) => `${photos} selected`,
  selecting: (photos: string) => `Selecting: ${photos} so far`,
  selectionKeys: 'Press M for the actions, Escape to end.',
  endSelection: 'End the selection',
  working: (finished: string, all: string) => `${finished} of ${all} …`,
  confirm: (action: string, photos: string) => `${action} ${photos}?`,
  deletedMany: (photos: string) => `Deleted ${photos}.`,
  deletedForGoodMany: (photos: string) => `Deleted ${photos} for good.`,
  restoredMany: (photos: string) => `Restored ${photos}.`,
  notRestoredMany: (photos: string) => `${photos} could not be restored.`,
  notDeletedMany: (photos: string) => `${photos} could not be deleted.`,
  downloadMany: 'Download',
  downloading: (photos: string) => `Downloading ${photos}.`,
  notDownloaded: (photos: string) => `${photos} could not be downloaded.`,
  changeDates: 'Change date',
  changeDatesOf: (photos: string) => `Date of ${photos}`,
  setDate: 'Set a date',
  shiftDate: 'Shift',
  newDate: 'Date and time',
  hours: 'Hours, such as 2 or −1.5',
  datesChanged: (photos: string) => `Changed the date of ${photos}.`,
  datesNotChanged: (photos: string) => `The date of ${photos} could not be changed.`,
}
