import { UploadError } from './errors'

export interface Signed {
  method: string
  url: string
  headers: Record<string, string>
  expires_at: string
}

export type WholeUpload = Signed & { id: string }

export interface PartsUpload {
  id: string
  part_size: number
  parts: number
  expires_at: string
  /** The store's own id, once the store has started the upload. */
  s3UploadId?: string
}

export type Reserved = { photo: unknown } | WholeUpload | PartsUpload

/** Calls the router. Every call throws UploadError, or AbortError. */
export class Api {
  constructor(
    readonly url: string,
    readonly headers: () => Record<string, string> | Promise<Record<string, string>>,
  ) {}

  /** Reserve an upload. Return the photo instead, if the owner has one with the same bytes. */
  async reserve(request: object, signal: AbortSignal): Promise<Reserved> {
    const response = await this.#call('', request, signal)
    const body = (await response.json()) as Reserved
    return response.status === 200 ? { photo: body } : body
  }

  async sign(id: string, step: object, signal: AbortSignal): Promise<Signed> {
    return (await (await this.#call(`/${id}/sign`, step, signal)).json()) as Signed
  }

  /** Have the server make a photo of the sent bytes. */
  async complete(id: string, signal: AbortSignal): Promise<{ photo: unknown; isNew: boolean }> {
    const response = await this.#call(`/${id}/complete`, undefined, signal)
    return { photo: await response.json(), isNew: response.status === 201 }
  }

  /** Abort an upload. Errors are ignored: it expires anyway. */
  abort(id: string): void {
    void Promise.resolve(this.headers())
      .then((headers) =>
        fetch(`${this.url}/uploads/${id}`, { method: 'DELETE', headers, keepalive: true }),
      )
      .catch(() => {})
  }

  async #call(path: string, json: object | undefined, signal: AbortSignal): Promise<Response> {
    const type: Record<string, string> = json ? { 'Content-Type': 'application/json' } : {}
    const headers = { ...type, ...(await this.headers()) }
    const body = json ? { body: JSON.stringify(json) } : {}
    let response: Response
    try {
      response = await fetch(`${this.url}/uploads${path}`, {
        ...{ method: 'POST', headers, signal },
        ...body,
      })
    } catch (error) {
      if (signal.aborted) throw error
      throw new UploadError('network', 'The server does not answer.')
    }
    if (response.ok) return response
    const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string }
    throw new UploadError(
      problem.code ?? 'error',
      problem.detail ?? `The server responded with ${response.status}.`,
      response.status,
      Number(response.headers.get('Retry-After')) * 1000 || 0,
    )
  }
}
