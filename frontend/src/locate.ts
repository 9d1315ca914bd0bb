import { fetchPhoto, hasTrash, type Photo, Problem } from './api-later'
import type { PhotoList } from './photo-list'
import { sortTime } from './sort-time'
import { texts } from './texts-later'
import type { Toasts } from './toasts'

/** Return the slot of a photo of a list, loading pages as needed; undefined if it is not there. */
export async function locate(list: PhotoList, id: number): Promise<number | undefined> {
  const { order } = list.source
  if (!order) return search(list, id)
  const timeOf = (photo: Photo) =>
    sortTime(order === 'taken' ? photo : { ...photo, taken_at: null })
  let time: number
  try {
    time = timeOf(await fetchPhoto(id))
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return undefined
    throw error
  }
  const name = new Date(Math.floor(time / 1000)).toISOString().slice(0, 7)
  const index = list.months.findIndex(({ month }) => month === name)
  if (index < 0) return undefined
  let low = list.starts[index] ?? 0
  let high = low + (list.months[index]?.count ?? 0)
  while (low < high) {
    const middle = (low + high) >> 1
    await list.load(middle, middle + 1)
    const found = list.slotOf(id)
    if (found !== undefined) return found
    const other = list.photos.get(middle)
    if (!other) return undefined
    const isNewer = timeOf(other) > time || (timeOf(other) === time && other.id > id)
    if (isNewer) low = middle + 1
    else high = middle
  }
  return undefined
}

/** Load page after page. */
async function search(list: PhotoList, id: number): Promise<number | undefined> {
  for (let slot = 0; slot < list.total; slot++) {
    if (!list.photos.has(slot)) await list.load(slot, slot + 1)
    if (list.photos.get(slot)?.id === id) return slot
  }
  return undefined
}

/** Say that a photo is in no list. */
export function sayGone(toasts: Toasts): void {
  toasts.show(hasTrash ? texts.gone : texts.goneForGood)
}
