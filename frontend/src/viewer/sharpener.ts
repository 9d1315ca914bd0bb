import type PhotoSwipe from 'photoswipe'
import type { Photo } from '../api'
import { bootstrap } from '../bootstrap'
import type { Source } from '../grid/images'
import { atLeast, madeSources, zoomSources } from './sources'

/** Milliseconds without a change of size, after which a larger image is requested. */
const SETTLE = 120
/** An image with slightly fewer pixels than the screen looks the same. */
const ENOUGH = 0.9
/** Pauses before further attempts: the server may be busy. */
const RETRIES = [2_000, 5_000, 10_000]

/**
 * Replaces the image of the current photo by a larger one when the screen or the zoom needs it.
 *
 * A larger image may have to be made first. It is loaded aside, so that the current one stays until
 * it is there, or if it can't be had.
 */
export class Sharpener {
  /** The width that each image element has or is getting. */
  #widths = new WeakMap<Element, number>()
  #timer = 0

  constructor(
    readonly pswp: PhotoSwipe,
    readonly photoAt: (index: number) => Photo | undefined,
  ) {
    for (const event of ['change', 'loadComplete', 'imageSizeChange'] as const) {
      pswp.on(event, () => this.#settle())
    }
    pswp.on('destroy', () => clearTimeout(this.#timer))
  }

  #settle(): void {
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => this.#sharpen(), SETTLE)
  }

  #sharpen(): void {
    const content = this.pswp.currSlide?.content
    const element = content?.element
    if (!content || !(element instanceof HTMLImageElement) || content.state !== 'loaded') return
    const photo = this.photoAt(content.index)
    if (!photo || (photo.animated && photo.displayable)) return
    const has = this.#widths.get(element) ?? madeSources(photo).at(-1)?.width ?? photo.width
    const needed = content.displayedImageWidth * devicePixelRatio * ENOUGH
    const image = needed > has ? atLeast(zoomSources(photo, bootstrap), needed) : undefined
    if (!image || image.width <= has) return
    this.#widths.set(element, image.width)
    void this.#replace(element, image, has)
  }

  async #replace(element: HTMLImageElement, image: Source, before: number): Promise<void> {
    for (const pause of [0, ...RETRIES]) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      // Another photo is shown, or an even larger image was needed meanwhile.
      if (!element.isConnected || this.#widths.get(element) !== image.width) return
      const loaded = new Image()
      loaded.src = image.url
      // Chromium shows images of 200 megapixels, but refuses to decode them ahead.
      await loaded.decode().catch(() => undefined)
      if (!loaded.complete || loaded.naturalWidth === 0) continue
      if (this.#widths.get(element) === image.width) {
        element.removeAttribute('srcset')
        element.src = loaded.src
      }
      return
    }
    this.#widths.set(element, before)
  }
}
