/** Keeps the page up to date: shows what others change, and renews links before they expire. */

import { request, session } from './api'
import type { components } from './api.gen'
import { bootstrap } from './bootstrap'
import { CHANGED, GONE } from './changed'
import type { Navigation } from './navigation'
import './reload'
import { Renewal } from './renewal'

/** Milliseconds between two questions: a random time, so that not all pages ask at once. */
const INTERVAL = [5_000, 8_000] as const
/** The longest pause after errors, which doubles with each. */
const MAX_PAUSE = 120_000
/** Links are renewed when a tenth of their time is left, or this time. */
const RENEW_BEFORE = 3_600_000
/** The pause before links are renewed again that the server can't renew yet; it doubles. */
const RENEW_PAUSE = 60_000

export class Live {
  /** What `/api/changes` returned before the page was read. */
  #seen = bootstrap.element.dataset.changes
  #errors = 0
  #timer = 0
  #asking: Promise<void> | undefined
  /** The longest time that links had left. */
  #lifetime = 0
  #renewAt = 0
  #renewPause = RENEW_PAUSE

  constructor(readonly navigation: Navigation) {
    const check = () => {
      this.#errors = 0
      this.#check(true)
    }
    addEventListener('focus', check)
    addEventListener('online', check)
    addEventListener(GONE, check)
    document.addEventListener('visibilitychange', check)
    this.#watchImages()
    check()
  }

  /** Ask, unless the page is hidden. What could not be loaded before is loaded again if `isAsked`. */
  #check(isAsked = false): void {
    clearTimeout(this.#timer)
    if (document.visibilityState !== 'visible' || session.hasEnded) return
    this.#asking ??= this.#ask(isAsked).finally(() => {
      this.#asking = undefined
      const [least, most] = INTERVAL
      const pause = (least + Math.random() * (most - least)) * 2 ** this.#errors
      this.#timer = window.setTimeout(() => this.#check(), Math.min(pause, MAX_PAUSE))
    })
  }

  async #ask(isAsked: boolean): Promise<void> {
    const { list } = this.navigation
    try {
      // The browser sends the ETag that it has, and a 304 has no body.
      const response = await request('/changes')
      const { changes } = (await response.json()) as components['schemas']['ChangesView']
      const isOld = changes !== this.#seen || this.#linksExpire()
      if (isOld || (isAsked && list.failure)) {
        await this.#refresh()
        if (list.failure) throw list.failure
      }
      this.#seen = changes
      this.#errors = 0
    } catch {
      this.#errors++
    }
  }

  async #refresh(): Promise<void> {
    dispatchEvent(new Event(CHANGED))
    await this.navigation.list.refresh()
  }

  /** Return whether links to photos have to be renewed now. */
  #linksExpire(): boolean {
    const { list } = this.navigation
    const now = Date.now()
    const left = [...list.photos.values()]
      .filter((photo) => !list.isStale(photo))
      .map((photo) => Date.parse(photo.expires_at) - now)
    this.#lifetime = Math.max(this.#lifetime, ...left)
    if (Math.min(...left) > Math.min(RENEW_BEFORE, this.#lifetime / 10)) {
      this.#renewPause = RENEW_PAUSE
      return false
    }
    if (now < this.#renewAt) return false
    this.#renewAt = now + this.#renewPause
    this.#renewPause = Math.min(this.#renewPause * 2, RENEW_BEFORE)
    return true
  }

  /** Renew the links of images in the grid that can't be loaded. */
  #watchImages(): void {
    const renewal = new Renewal(() => this.#refresh())
    const fail = (image: HTMLImageElement) =>
      renewal.failed(keyOf(image), () => {
        const { src } = image
        if (image.isConnected && isBroken(image)) image.src = src
      })
    const isOurs = (target: unknown): target is HTMLImageElement =>
      target instanceof HTMLImageElement && target.matches('.tile img, .cover img')
    const onError = ({ target }: Event) => isOurs(target) && fail(target)
    const onLoad = ({ target }: Event) => isOurs(target) && renewal.loaded(keyOf(target))
    document.addEventListener('error', onError, true)
    document.addEventListener('load', onLoad, true)
    const images = document.querySelectorAll<HTMLImageElement>('.tile img, .cover img')
    images.forEach((image) => isBroken(image) && fail(image))
  }
}

const isBroken = (image: HTMLImageElement) =>
  image.complete && image.naturalWidth === 0 && image.currentSrc !== ''

const keyOf = (image: HTMLImageElement) => image.closest('a')?.href ?? image.src
