import type { components } from './api.gen'
import { bootstrap, type Month } from './bootstrap'
import { Observable } from './observable'
import { texts } from './texts'

export type Photo = components['schemas']['PhotoView']
type PartsPage = components['schemas']['PartsPageView']
type PhotoParts = PartsPage['photos'][number]
export type { Month }

/** An error response of the server (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    /** Milliseconds to wait before the next attempt; 0 if the server sent none. */
    readonly retryAfter = 0,
  ) {
    super(detail)
  }

  /** Whether the same request may succeed a little later. */
  get isTemporary(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408
  }
}

/** The request got no response. */
export class Unreachable extends Error {
  constructor() {
    super(texts.serverUnreachable)
  }
}

class Session extends Observable {
  hasEnded = false

  end(): void {
    this.hasEnded = true
    this.notify()
  }
}

export const session = new Session()

interface RequestOptions {
  method?: string
  json?: unknown
  keepalive?: boolean
  signal?: AbortSignal
}

/** Send a request to `/api` + `path`. Throws Problem, Unreachable, or AbortError. */
export async function request(
  path: string,
  { json, ...options }: RequestOptions = {},
): Promise<Response> {
  const body =
    json === undefined
      ? {}
      : { body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } }
  let response: Response
  try {
    response = await fetch(`${bootstrap.root}/api${path}`, { ...options, ...body })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new Unreachable()
  }
  if (response.ok) return response
  if (response.status === 401) session.end()
  throw await problemFrom(response)
}

async function problemFrom(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as { code?: string; detail?: string }
  const retryAfter = Number(response.headers.get('Retry-After')) * 1000 || 0
  const { code = 'error', detail = texts.unknownError } = body
  const { problems } = bootstrap
  return new Problem(
    response.status,
    code,
    problems[detail] ?? problems[code] ?? detail,
    retryAfter,
  )
}

/** A place in a list: `skip` photos after a cursor. */
export interface Position {
  after: string
  skip: number
  limit: number
}

/** Return a page of the list that a query describes: the first one without `position`. */
export async function fetchPage(query: string, position?: Position): Promise<Photo[]> {
  const { after, skip, limit = 60 } = position ?? {}
  // The first page of all photos must have the address that the page preloads.
  const from = after ? `&after=${after}` : ''
  const path = `/photos?limit=${limit}&${query}&links=parts${from}${skip ? `&skip=${skip}` : ''}`
  const page = (await (await request(path)).json()) as PartsPage
  return page.photos.map((photo) => joinUrls(page, photo))
}

/** Return a photo with its URLs. In full they would be most of the bytes of a page. */
export function joinUrls({ groups }: Pick<PartsPage, 'groups'>, photo: PhotoParts): Photo {
  const { folder, date, shown, original, renditions, ...facts } = photo
  const group = groups[photo.group] as PartsPage['groups'][number]
  const join = (path: string, signature: string) =>
    group.base + folder + path + group.before + date + group.after + signature
  const original_url = join(group.original, original)
  const made = group.renditions.map(({ path, ...preset }, n) => {
    const { signature = '', ...size } = renditions[n] ?? { width: 0, height: 0 }
    return { ...preset, ...size, url: join(path, signature) }
  })
  const photo_url =
    shown === 'original'
      ? original_url
      : // What is not made yet is made when it is requested.
        (made.find(({ name }) => name === shown)?.url ??
        `${bootstrap.root}/api/photos/${photo.id}/${shown}`)
  return { ...facts, photo_url, original_url, renditions: made }
}

export async function fetchMonths(order: 'taken' | 'added'): Promise<Month[]> {
  return (await (await request(`/photos/months?order=${order}`)).json()) as Month[]
}
