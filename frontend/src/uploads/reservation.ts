import { ask, type Photo } from '../api'
import type { components } from '../api.gen'

type Schemas = components['schemas']
/** A request that may be made of the store. */
export type Permit = Schemas['PermitView']
export type Reservation = Schemas['PutView'] | Schemas['PartsView']
export type Operation = Schemas['SignRequest']['operation']

const HASHED = 16 * 1024 * 1024
const TYPES: Record<string, string> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  heic: 'image/heic',
  heif: 'image/heif',
  hif: 'image/heif',
}

/** What the file says it is; browsers don't know every photo's name. */
export function typeOf(file: File): string {
  const ending = file.name.toLowerCase().split('.').pop() ?? ''
  return file.type || TYPES[ending] || 'image/jpeg'
}

/** Reserve an upload; or the photo, if the same bytes are there. */
export async function reserve(
  file: File,
  signal: AbortSignal,
): Promise<{ photo: Photo } | { reservation: Reservation }> {
  const sha256 = await digest(file)
  const json = {
    filename: file.name,
    content_type: typeOf(file),
    size: file.size,
    ...(sha256 ? { sha256 } : {}),
  }
  const answer = await ask('/uploads', { method: 'POST', json, signal })
  const told: unknown = await answer.json()
  return answer.status === 200 ? { photo: told as Photo } : { reservation: told as Reservation }
}

/** Lower-case hex; of large files, and where the page has no way to make one, none. */
async function digest(file: File): Promise<string | undefined> {
  if (file.size > HASHED || !isSecureContext) return undefined
  const sum = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

export async function sign(
  id: string,
  operation: Operation,
  more: { part_number?: number; upload_id?: string } = {},
): Promise<Permit> {
  const json = { operation, ...more }
  return (await (await ask(`/uploads/${id}/sign`, { method: 'POST', json })).json()) as Permit
}

/** Have what was sent made a photo; whether it is a new one. */
export async function complete(
  id: string,
  signal: AbortSignal,
): Promise<{ photo: Photo; isNew: boolean }> {
  const answer = await ask(`/uploads/${id}/complete`, { method: 'POST', signal })
  return { photo: (await answer.json()) as Photo, isNew: answer.status === 201 }
}

/** Give it up. That it may be over already is no matter. */
export function giveUp(id: string): void {
  ask(`/uploads/${id}`, { method: 'DELETE', keepalive: true }).catch(() => {})
}
