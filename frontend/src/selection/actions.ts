import type { ComponentType } from 'preact'
import { hasTrash, request } from '../api-later'
import type { components } from '../api.gen'
import type { IconName } from '../icons-later'
import type { PhotoList } from '../photo-list'
import { texts } from '../texts-later'
import { AlbumForm } from './album-form'
import { DateForm } from './date-form'

/** The photos that an action has changed, and those that no longer exist. */
type Result = components['schemas']['BulkResultView'] & {
  /** Photos that could not be changed, and why. */
  failed?: ReadonlyMap<number, Error>
}

/** What can be done with the selected photos. */
export interface Action {
  name: string
  label: string
  icon: IconName
  /** Whether only its icon is shown; the label is its tooltip. */
  isCompact?: boolean
  /** The most selected photos that it is offered for. */
  most?: number
  /** The key that starts it. */
  key?: string
  /** Asks before the action runs, with its label unless `question` returns another text. */
  isDangerous?: boolean
  question?: (count: number) => string
  /** Asks before the action runs; `submit` runs it. Without one, it runs at once. */
  Form?: ComponentType<FormProps>
  /** The most photos of one call of `run`; 500 by default. */
  limit?: number
  /** Change photos. An error is the reason why none of them was changed. */
  run: (ids: number[], value: unknown, list: PhotoList) => Promise<Result>
  /** Say how many photos it has changed. */
  done: (count: number) => string
  /** Say how many photos it could not change. */
  failed: (count: number) => string
  /** Whether the photos stay selected. */
  keepsSelection?: boolean
}

export interface FormProps {
  count: number
  submit: (value?: unknown) => void
  cancel: () => void
}

/** Return the `run` of an action that is one request for up to 500 photos. */
export const changeMany =
  (method: string, path: (ids: string) => string) =>
  async (ids: number[]): Promise<Result> =>
    (await (await request(path(ids.join()), { method })).json()) as Result

const ofDelete = {
  name: 'delete',
  icon: 'delete',
  key: 'Delete',
  isDangerous: true,
  // Their links die first, which takes a moment: the progress is shown between the requests.
  limit: 100,
  failed: (count: number) => texts.notDeletedMany(count),
} as const

const moveToTrash: Action = {
  ...ofDelete,
  label: texts.delete,
  run: changeMany('DELETE', (ids) => `/photos?ids=${ids}`),
  done: (count) => texts.deletedMany(count),
}

export const deleteForGood: Action = {
  ...ofDelete,
  label: texts.deleteForGood,
  question: texts.deleteForGoodQuestion,
  run: changeMany('DELETE', (ids) => `/photos?ids=${ids}&permanent=true`),
  done: (count) => texts.deletedForGoodMany(count),
}

const changeDate: Action = {
  name: 'date',
  label: texts.changeDates,
  icon: 'recent',
  Form: DateForm,
  run: async (ids, value) => {
    const response = await request(`/photos?ids=${ids.join()}`, { method: 'PATCH', json: value })
    return (await response.json()) as Result
  },
  done: (count) => texts.datesChanged(count),
  failed: (count) => texts.datesNotChanged(count),
  keepsSelection: true,
}

const rotate: Action = {
  name: 'rotate',
  label: texts.rotate,
  icon: 'rotate',
  key: 'r',
  run: async (ids) => {
    const json = { rotate: 90 }
    const response = await request(`/photos?ids=${ids.join()}`, { method: 'PATCH', json })
    return (await response.json()) as Result
  },
  done: (count) => texts.rotated(count),
  failed: (count) => texts.notRotated(count),
  keepsSelection: true,
}

const download: Action = {
  name: 'download',
  label: texts.downloadMany,
  icon: 'download',
  limit: Number.POSITIVE_INFINITY,
  run: async (ids) => {
    const response = await request('/downloads', { method: 'POST', json: { ids } })
    const { url, missing } = (await response.json()) as components['schemas']['DownloadView']
    // The response is a file: the page stays.
    location.assign(url)
    return { done: ids.filter((id) => !missing.includes(id)), missing }
  },
  done: (count) => texts.downloading(count),
  failed: (count) => texts.notDownloaded(count),
  keepsSelection: true,
}

const addToAlbum: Action = {
  name: 'add-to-album',
  label: texts.addToAlbum,
  icon: 'add',
  Form: AlbumForm,
  run: async (ids, album) => {
    const path = `/albums/${album as number}/photos`
    return (await (await request(path, { method: 'POST', json: { ids } })).json()) as Result
  },
  done: (count) => texts.addedToAlbum(count),
  failed: (count) => texts.notAddedToAlbum(count),
}

/** The actions of a view that has none of its own. An action is added here. */
export const ACTIONS: Action[] = [
  download,
  addToAlbum,
  changeDate,
  rotate,
  hasTrash ? moveToTrash : deleteForGood,
]
