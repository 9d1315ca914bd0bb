import type { ComponentType } from 'preact'
import type { IconName } from '../icons'
import type { PhotoList } from '../photo-list'
import type { Action } from '../selection/actions'
import { allPhotos, type Source } from '../source'
import { texts } from '../texts'

/** What the page shows: the photos of a source in the grid, or a body of its own. */
export interface View {
  /** The name of the page, and its heading. */
  title: string
  source?: Source
  /** Replaces the grid. */
  Body?: ComponentType
  /** Shown above the grid. */
  Head?: ComponentType<{ list: PhotoList }>
  /** Shown when there are no photos. */
  Empty?: ComponentType
  /** What can be done with selected photos; by default the actions of `selection/actions.ts`. */
  actions?: Action[]
  /** Moves photos to a `Place` (album-order.ts), in a view that has an order of its own. */
  place?: Action
  /** The view whose link is marked as current; by default this one. */
  parent?: string
}

interface Entry {
  /** The link in the header, if it has one. */
  link?: { label: string; icon: IconName }
  /** Import the view's code. `open` makes the view of an address from its query. */
  load: () => Promise<{ open: (query: URLSearchParams) => View | Promise<View> }>
}

export const ALL_PHOTOS = allPhotos('taken')

/** The view of the address without a query. Its code is part of the first screen. */
export const DEFAULT_VIEW: View = { title: texts.photos, source: ALL_PHOTOS }

/** The other views by their names: `recent` is at `/?view=recent`, and `search` at `/?q=…`. */
export const VIEWS: Record<string, Entry> = {
  recent: { link: { label: texts.recent, icon: 'recent' }, load: () => import('./recent') },
  albums: { link: { label: texts.albums, icon: 'albums' }, load: () => import('./albums') },
  album: { load: () => import('./album') },
  search: { link: { label: texts.search, icon: 'search' }, load: () => import('./search') },
  devices: { load: () => import('./devices') },
  trash: { link: { label: texts.trash, icon: 'trash' }, load: () => import('./trash') },
}

/** Return the name of the view that a query asks for; empty for the default. */
export function viewName(query: URLSearchParams): string {
  const name = query.get('view') ?? (query.has('q') ? 'search' : '')
  return Object.hasOwn(VIEWS, name) ? name : ''
}
