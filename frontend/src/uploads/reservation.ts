import { type Photo, request } from '../api'
import type { components } from '../api.gen'
import { contentType } from './file-types'
import { modifiedAt } from './modified-at'
import { sha256 } from './sha256'

type Schemas = components['schemas']
export type PresignedRequest = Schemas['PermitView']
export type Reservation = Schemas['PutView'] | Schemas['PartsView']
export type Operation = Schemas['SignRequest']['operation']

/** Reserve an upload. Return the photo instead, if the library has the same bytes. */
export async function reserve(
  file: File,
  signal: AbortSignal,
): Promise<{ photo: Photo } | { reservation: Reservation }> {
  const hash = await sha256(file)
  const modified = modifiedAt(file)
  const json = {
    filename: file.name,
    content_type: contentType(file) || 'image/jpeg',
    size: file.size,
    ...(hash ? { sha256: hash } : {}),
    ...(modified ? { modified_at: modified } : {}),
  }
  const response = await request('/uploads', { method: 'POST', json, signal })
  const body: unknown = await response.json()
  return response.status === 200 ? { photo: body as Photo } : { reservation: body as Reservation }
}

export async function sign(
  id: string,
  operation: Operation,
  options: { part_number?: number; upload_id?: string } = {},
): Promise<PresignedRequest> {
  const json = { operation, ...options }
  const response = await request(`/uploads/${id}/sign`, { method: 'POST', json })
  return (await response.json()) as PresignedRequest
}

/** Turn the sent bytes into a photo. */
export async function complete(
  id: string,
  signal: AbortSignal,
): Promise<{ photo: Photo; isNew: boolean }> {
  const response = await request(`/uploads/${id}/complete`, { method: 'POST', signal })
  return { photo: (await response.json()) as Photo, isNew: response.status === 201 }
}

/** Abort the upload. Errors are ignored: it may have ended already, and expires anyway. */
export function abort(id: string): void {
  request(`/uploads/${id}`, { method: 'DELETE', keepalive: true }).catch(() => {})
}
