import type { PhotoList } from './photo-list'

/**
 * Return a list with the newest sections, and with the photos in view.
 *
 * The photo `moved`, or the one in the viewer, is loaded with its neighbours, wherever it is now.
 * Throws what a request fails with.
 */
export async function reload(
  list: PhotoList,
  [from, to]: [number, number],
  moved?: number,
): Promise<PhotoList> {
  const sought = moved ?? list.followed
  const months = await list.source.sections()
  const isUnchanged = JSON.stringify(months) === JSON.stringify(list.months)
  const before = sought === undefined ? undefined : list.slotOf(sought)
  const next = list.copy(months, isUnchanged && moved === undefined)
  const shift = Math.max(0, Math.min(from, to - next.total))
  await next.loadVisible(from - shift, to - shift)
  if (sought !== undefined) {
    if (before !== undefined && moved === undefined) await next.load(before - 3, before + 4)
    const slot = await next.locate(sought)
    if (slot !== undefined) await next.load(slot - 3, slot + 4)
  }
  if (next.failure) throw next.failure
  return next
}
