/** The page's address: the view in its query, and the open photo. */

import { bootstrap } from './bootstrap'
import { viewName } from './views/views'

/** Return the part of the query that names the view, such as `?view=recent`; '' for the default. */
export function currentQuery(): string {
  const query = new URLSearchParams(location.search)
  query.delete('photo')
  return viewName(query) && `?${query}`
}

export const viewUrl = (query: string): string => `${bootstrap.root}/${query}`

/** Return the address of a photo in the current view. */
export function photoUrl(id: number): string {
  const query = currentQuery()
  return viewUrl(query ? `${query}&photo=${id}` : `photo/${id}`)
}

/** Return the id of the open photo, or 0. */
export const currentPhoto = (): number =>
  Number(
    /\/photo\/(\d+)$/.exec(location.pathname)?.[1] ??
      (currentQuery() && new URLSearchParams(location.search).get('photo')),
  ) || 0
