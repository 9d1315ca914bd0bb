import { isTemporary, type UploadError } from './errors'

/** Repeat work after errors that may pass, with growing pauses, and while the browser is offline. */
export async function retry<T>(
  retries: number,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  for (let left = retries; ; left--) {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted || left <= 0 || !isTemporary(error)) throw error
      const pause = 2 ** (retries - left) * 500 * (1 + Math.random())
      await wait(Math.max(pause, (error as UploadError).retryAfter), signal)
    }
  }
}

/** Wait; if the browser is offline, also for a connection. */
async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    const stop = (): void => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', stop, { once: true })
  })
  while (!navigator.onLine && !signal.aborted) {
    await new Promise<void>((resolve) => {
      addEventListener('online', () => resolve(), { once: true })
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  signal.throwIfAborted()
}
