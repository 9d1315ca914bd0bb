/** Why an upload failed. `code` is stable: one of the API's, or `network`, `store` or `cancelled`. */
export class UploadError extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** The status of the response; 0 if there was none. */
    readonly status = 0,
    /** Milliseconds to wait before the next attempt. */
    readonly retryAfter = 0,
  ) {
    super(message)
  }

  static from(error: unknown): UploadError {
    return error instanceof UploadError ? error : new UploadError('error', String(error))
  }
}

/** Whether the same request may succeed a little later. @internal */
export function isTemporary(error: unknown): boolean {
  if (!(error instanceof UploadError)) return false
  const { code, status } = error
  return code === 'network' || status >= 500 || status === 429 || status === 408
}
