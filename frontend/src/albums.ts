/** The API's calls on albums. */

import { request } from './api'
import type { components } from './api.gen'

export type Album = components['schemas']['AlbumView']

let known: Album[] | undefined

/** The albums as they were fetched last, so that a list of them can be shown at once. */
export const knownAlbums = (): Album[] | undefined => known

export async function fetchAlbums(): Promise<Album[]> {
  known = (await (await request('/albums')).json()) as Album[]
  return known
}

export async function fetchAlbum(id: string): Promise<Album> {
  return (await (await request(`/albums/${id}`)).json()) as Album
}

export async function createAlbum(title: string): Promise<Album> {
  return (await (await request('/albums', { method: 'POST', json: { title } })).json()) as Album
}

export async function renameAlbum(id: number, title: string): Promise<Album> {
  const response = await request(`/albums/${id}`, { method: 'PATCH', json: { title } })
  return (await response.json()) as Album
}

/** Let a photo of an album stand for it. */
export async function setCover(id: number, photo: number): Promise<void> {
  await request(`/albums/${id}`, { method: 'PATCH', json: { cover: photo } })
}

export async function deleteAlbum(id: number): Promise<void> {
  await request(`/albums/${id}`, { method: 'DELETE' })
  known = known?.filter((album) => album.id !== id)
}

/** The query of an album's address. */
export const albumQuery = (id: number): string => `?view=album&id=${id}`
export const ALBUMS_QUERY = '?view=albums'
export const MAX_TITLE = 200
