import type { Signed, WholeUpload } from './api'
import { UploadError } from './errors'

export interface Sending {
  progress: (sent: number) => void
  signal: AbortSignal
}

/** Without progress for this long, a request is sent again: a stalled one raises no error. */
const STALL_TIMEOUT = 30_000
/** A presigned request with less time than this left is not used. */
const MIN_VALIDITY = 20_000
/** Headers that browsers set, and scripts may not. */
const FORBIDDEN_HEADERS = new Set(['host', 'content-length'])

/** Send a file in one request. Throws UploadError with the code `expired` if it is too late. */
export async function sendWhole(signed: WholeUpload, file: File, sending: Sending): Promise<void> {
  if (Date.parse(signed.expires_at) - Date.now() < MIN_VALIDITY) {
    throw new UploadError('expired', 'The signature has expired.')
  }
  await send(signed, file, sending)
}

/** Send a signed request, and return the body of the response. fetch has no upload progress. */
export function send(
  { method, url, headers }: Signed,
  body: Blob | string | null,
  { progress, signal }: Sending,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let timer = 0
    const abort = (): void => request.abort()
    const watch = (): void => {
      clearTimeout(timer)
      timer = window.setTimeout(abort, STALL_TIMEOUT)
    }
    const fail = (): void => {
      if (signal.aborted) reject(new DOMException('Aborted', 'AbortError'))
      else reject(new UploadError('network', 'The store does not answer.'))
    }
    request.upload.onprogress = ({ loaded }) => {
      watch()
      progress(loaded)
    }
    request.onload = () => {
      const { status, responseText } = request
      if (status >= 200 && status < 300) resolve(responseText)
      else reject(new UploadError('store', `The store responded with ${status}.`, status))
    }
    request.onerror = request.onabort = fail
    request.onloadend = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    if (signal.aborted) {
      fail()
      return
    }
    signal.addEventListener('abort', abort)
    request.open(method, url)
    for (const [name, value] of Object.entries(headers)) {
      if (!FORBIDDEN_HEADERS.has(name.toLowerCase())) request.setRequestHeader(name, value)
    }
    watch()
    request.send(body)
  })
}
