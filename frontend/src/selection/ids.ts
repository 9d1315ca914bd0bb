import type { PhotoList } from '../photo-list'

/** The most that one request returns. */
const LIMIT = 500

/**
 * Yield the ids of the photos of a range of slots: first of those that are loaded, then of the
 * others, page by page. Photos whose deletion can be undone are left out. Throws what requests do.
 */
export async function* idsBetween(
  list: PhotoList,
  from: number,
  to: number,
  signal: AbortSignal,
): AsyncGenerator<number[]> {
  const { index, source } = list
  const isShown = (id: number) => !list.hidden.has(id)
  const missing: number[] = []
  const loaded: number[] = []
  for (let slot = from; slot < to; slot++) {
    const id = list.photos.get(slot)?.id
    if (id === undefined) missing.push(slot)
    else loaded.push(id)
  }
  yield loaded.filter(isShown)
  for (let n = 0; n < missing.length && !signal.aborted;) {
    const first = missing[n] as number
    // A page may have photos that are loaded already, after the first one.
    let next = n
    while (next < missing.length && (missing[next] as number) < first + LIMIT) next++
    const limit = (missing[next - 1] as number) - first + 1
    const photos = await source.page(index.position(first, limit))
    yield photos.map(({ id }) => id).filter(isShown)
    n = next
  }
}
