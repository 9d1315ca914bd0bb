import type { Photo } from './api'

/**
 * Return the time by which the server sorts a photo, in microseconds since 1970: that of the
 * camera's clock, whatever its offset from UTC, or else when the photo was added, in UTC.
 */
export function sortTime(photo: Pick<Photo, 'taken_at' | 'created_at'>): number {
  const taken = photo.taken_at?.replace(/(Z|[+-]\d\d:\d\d)$/, '')
  const time = taken === undefined ? photo.created_at : `${taken}Z`
  const microseconds = Number((/\.(\d{1,6})/.exec(time)?.[1] ?? '').padEnd(6, '0').slice(3))
  return Date.parse(time) * 1000 + microseconds
}
