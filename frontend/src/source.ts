import { fetchMonths, fetchPage, type Month, type Photo, type Position } from './api'

/** The photos of a view, in the order of the server's list. */
export interface Source {
  /** What the photos are sorted by, newest first; undefined for any other order. */
  readonly order?: 'taken' | 'added'
  /** The id of the album whose photos they are. */
  readonly album?: number
  /** Return the sections of the list. One whose `month` is empty has no heading. */
  sections: () => Promise<Month[]>
  /** Return up to `limit` photos from a position on; the first page without one. */
  page: (position?: Position) => Promise<Photo[]>
}

/** Return the source of all photos, by the time that they were taken or added. */
export const allPhotos = (order: 'taken' | 'added'): Source => ({
  order,
  sections: () => fetchMonths(order),
  page: (position) => fetchPage(`order=${order}`, position),
})
