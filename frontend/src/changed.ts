/** Dispatched at the window when something has changed, for what is not in the list of photos. */
export const CHANGED = 'safelight-changed'

/** Dispatched at the window when the server does not know a photo any more. */
export const GONE = 'safelight-gone'

/** Look for changes if a request has failed since its photo is gone. */
export function reportGone(error: unknown): void {
  if ((error as { status?: number }).status === 404) dispatchEvent(new Event(GONE))
}
