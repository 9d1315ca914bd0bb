import { texts } from '../texts-later'
import type { Toasts } from '../toasts'
import { INTERRUPTED_KEY } from './uploader'

/** Store how many uploads this page leaves unfinished, for the next page in its tab. */
export function remember(count: number): void {
  try {
    if (count > 0) sessionStorage.setItem(INTERRUPTED_KEY, String(count))
  } catch {
    // Browsers may deny storage.
  }
}

/** Offer to choose the files again that the page before this one did not finish to upload. */
export function offer(toasts: Toasts): void {
  const count = Number(sessionStorage.getItem(INTERRUPTED_KEY))
  sessionStorage.removeItem(INTERRUPTED_KEY)
  if (!count) return
  const choose = () => document.querySelector<HTMLElement>('header .actions .primary')?.click()
  toasts.show(texts.interrupted(count), { label: texts.chooseFiles, run: choose })
}
