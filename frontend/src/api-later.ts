/** All calls of the API: those of the first screen, and those of the code that is loaded later. */

import { type Photo, Problem, request, Unreachable } from './api'
import { bootstrap } from './bootstrap'
import { texts } from './texts-later'

export * from './api'

export async function fetchPhoto(id: number): Promise<Photo> {
  return (await (await request(`/photos/${id}`)).json()) as Photo
}

export async function editPhoto(
  id: number,
  changes: { title?: string; description?: string; taken_at?: string | null; turn?: number },
): Promise<Photo> {
  const response = await request(`/photos/${id}`, { method: 'PATCH', json: changes })
  return (await response.json()) as Photo
}

/** Delete a photo. The request outlives the page. */
export async function deletePhoto(id: number): Promise<void> {
  await request(`/photos/${id}`, { method: 'DELETE', keepalive: true })
}

export const downloadUrl = (id: number): string =>
  `${bootstrap.root}/api/photos/${id}/original?download=true`

/** Whether deleted photos can be restored. */
export const hasTrash = bootstrap.element.dataset.trash === 'yes'

/** Return the message of a failed call, for people. */
export const reasonOf = (error: unknown): string =>
  error instanceof Problem || error instanceof Unreachable ? error.message : texts.unknownError
