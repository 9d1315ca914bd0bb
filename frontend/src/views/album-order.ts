import { request } from '../api'
import type { components } from '../api.gen'
import type { PhotoList } from '../photo-list'

export type Direction = 'first' | 'earlier' | 'later' | 'last'

/** The place before or after another photo. */
export interface Place {
  photo: number
  isAfter: boolean
}

/** The most photos of a request. */
const LIMIT = 500

/**
 * Return the slot of the photo that is to follow the moved ones; the end of the list if there is none.
 * `slots` are those of the moved photos, in order. They are moved together; `earlier` and `later` pass
 * one other photo, and a number is the slot that they are moved to.
 */
export function slotAfter(
  slots: readonly number[],
  to: Direction | number,
  total: number,
  isHidden: (slot: number) => boolean = () => false,
): number {
  const moved = new Set(slots)
  const isOther = (slot: number) => !moved.has(slot) && !isHidden(slot)
  const nextOther = (slot: number) => {
    while (slot < total && !isOther(slot)) slot++
    return slot
  }
  if (typeof to === 'number') return nextOther(to)
  if (to === 'last') return total
  if (to === 'later') return nextOther(nextOther((slots.at(-1) ?? 0) + 1) + 1)
  if (to === 'earlier') {
    for (let slot = (slots[0] ?? 0) - 1; slot >= 0; slot--) if (isOther(slot)) return slot
  }
  return nextOther(0)
}

/** Move photos of an album. Throws what requests do; those before have had their effect. */
export async function move(
  album: number,
  ids: readonly number[],
  to: Direction | Place,
  list: PhotoList,
): Promise<number[]> {
  const isPlace = typeof to === 'object'
  const slots = await slotsOf(isPlace ? [...ids, to.photo] : ids, list)
  const slotOf = (id: number) => slots.get(id) ?? list.total
  const moved = ids.filter((id) => slots.has(id)).sort((one, other) => slotOf(one) - slotOf(other))
  const target = isPlace ? slotOf(to.photo) + Number(to.isAfter) : to
  const isHidden = (slot: number) => list.isHidden(slot)
  const after = slotAfter(moved.map(slotOf), target, list.total, isHidden)
  return moveBefore(album, moved, await idAt(after, list))
}

/** Move photos before another one, or to the end. Return the ids of those that were moved. */
async function moveBefore(album: number, ids: number[], before?: number): Promise<number[]> {
  const done: number[] = []
  for (let start = 0; start < ids.length; start += LIMIT) {
    const json = { ids: ids.slice(start, start + LIMIT), before: before ?? null }
    const response = await request(`/albums/${album}/order`, { method: 'POST', json })
    done.push(...((await response.json()) as components['schemas']['BulkResultView']).done)
  }
  return done
}

/** Return the slots of photos by their ids. Those that are not loaded are requested. */
async function slotsOf(ids: readonly number[], list: PhotoList): Promise<Map<number, number>> {
  const { source, index, photos } = list
  const wanted = new Set(ids)
  const found = new Map<number, number>()
  const add = (id: number, slot: number) => {
    if (wanted.has(id)) found.set(id, slot)
  }
  for (const [slot, { id }] of photos) add(id, slot)
  for (let from = 0; from < index.total && found.size < wanted.size; from += LIMIT) {
    const page = await source.page(index.position(from, LIMIT))
    page.forEach(({ id }, n) => add(id, from + n))
  }
  return found
}

async function idAt(
  slot: number,
  { photos, index, source }: PhotoList,
): Promise<number | undefined> {
  if (slot >= index.total) return undefined
  const loaded = photos.get(slot)
  return (loaded ?? (await source.page(index.position(slot, 1)))[0])?.id
}
