import { type Photo, request } from '../api'
import type { components } from '../api.gen'
import { contentType } from './file-types'
import { modifiedAt } from './modified-at'

type Schemas = components['schemas']
export type PresignedRequest = Schemas['PermitView']
export type Reservation = Schemas['PutView'] | Schemas['PartsView']
export type Operation = Schemas['SignRequest']['operation']

const MAX_HASHED_BYTES = 16 * 1024 * 1024

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

/** Return lower-case hex; undefined for large files, and on pages without a secure context. */
async function sha256(file: File): Promise<string | undefined> {
  if (file.size > MAX_HASHED_BYTES || !isSecureContext) return undefined
  const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
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
