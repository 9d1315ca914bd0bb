import type { components } from './api.gen'
import { house, type Month } from './house'
import { texts } from './texts'
import { Topic } from './topic'

export type Photo = components['schemas']['PhotoView']
export type { Month }

/** An answer that is no success, in the server's words (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    /** Milliseconds to wait before another try; 0 if the server named none. */
    readonly retryAfter = 0,
  ) {
    super(detail)
  }

  /** Whether the same may succeed a little later. */
  get passing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  constructor() {
    super(texts.unreachable)
  }
}

class Session extends Topic {
  over = false

  end(): void {
    this.over = true
    this.tell()
  }
}

export const session = new Session()

interface Asking {
  method?: string
  json?: unknown
  keepalive?: boolean
  signal?: AbortSignal
}

/** Ask the API; `path` follows `/api`. Throws Problem or Unreachable, or AbortError. */
export async function ask(path: string, asking: Asking = {}): Promise<Response> {
  return answered(`${house.root}/api${path}`, asking)
}

async function answered(url: string, { json, ...asking }: Asking): Promise<Response> {
  const body =
    json === undefined
      ? {}
      : { body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } }
  let answer: Response
  try {
    answer = await fetch(url, { ...asking, ...body })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new Unreachable()
  }
  if (answer.ok) return answer
  if (answer.status === 401) session.end()
  throw await problem(answer)
}

async function problem(answer: Response): Promise<Problem> {
  const told = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string }
  const wait = Number(answer.headers.get('Retry-After')) * 1000 || 0
  return new Problem(answer.status, told.code ?? 'error', told.detail ?? texts.wrong, wait)
}

/** A page of photos, by capture time; without a place the first one. */
export async function page(place?: { after: string; skip: number; limit: number }) {
  const url = place
    ? `${house.root}/api/photos?limit=${place.limit}&order=taken&after=${place.after}&skip=${place.skip}`
    : house.firstPage
  return (await (await answered(url, {})).json()) as Photo[]
}

export async function months(): Promise<Month[]> {
  return (await (await ask('/photos/months?order=taken')).json()) as Month[]
}

export async function photo(id: number): Promise<Photo> {
  return (await (await ask(`/photos/${id}`)).json()) as Photo
}

export async function edit(
  id: number,
  changes: { title?: string; description?: string },
): Promise<Photo> {
  const answer = await ask(`/photos/${id}`, { method: 'PATCH', json: changes })
  return (await answer.json()) as Photo
}

/** Delete a photo, although the page goes away meanwhile. */
export async function remove(id: number): Promise<void> {
  await ask(`/photos/${id}`, { method: 'DELETE', keepalive: true })
}

export const downloadAddress = (id: number): string =>
  `${house.root}/api/photos/${id}/original?download=true`
