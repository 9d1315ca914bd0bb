/** Dispatched at the window when something has changed, for what is not in the list of photos. */
export const CHANGED = 'safelight-changed'
