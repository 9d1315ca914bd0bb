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
 * it is there, or if there is none.
 */
export class Sharpener {
  /** The width of the image that each element shows. */
  #shown = new WeakMap<Element, number>()
  /** The width of the image that each element shall show, once that is loaded. */
  #wanted = new WeakMap<Element, number>()
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
    const shown = this.#shown.get(element) ?? madeSources(photo).at(-1)?.width ?? photo.width
    const needed = content.displayedImageWidth * devicePixelRatio * ENOUGH
    const images = zoomSources(photo, bootstrap)
    const wanted = atLeast(images, needed)?.width ?? 0
    if (needed <= shown || wanted <= (this.#wanted.get(element) ?? shown)) return
    this.#shown.set(element, shown)
    this.#wanted.set(element, wanted)
    void this.#replace(element, images.filter(({ width }) => width <= wanted).reverse())
  }

  /** Show the first image, or one of the next ones until the first is available. */
  async #replace(element: HTMLImageElement, images: Source[]): Promise<void> {
    const wanted = images[0]?.width
    const shown = () => this.#shown.get(element) ?? 0
    // Another photo may be shown, or an even larger image be needed meanwhile.
    const isWanted = () => element.isConnected && this.#wanted.get(element) === wanted
    for (const pause of [0, ...RETRIES]) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      for (const image of images.filter(({ width }) => width > shown())) {
        if (!isWanted()) return
        const loaded = await load(image.url)
        if (!loaded) continue
        if (!isWanted()) return
        element.removeAttribute('srcset')
        element.src = loaded.src
        this.#shown.set(element, image.width)
        break
      }
      if (shown() === wanted) return
    }
    if (isWanted()) this.#wanted.set(element, shown())
  }
}

async function load(url: string): Promise<HTMLImageElement | undefined> {
  const image = new Image()
  image.src = url
  // Chromium shows images of 200 megapixels, but refuses to decode them ahead.
  await image.decode().catch(() => undefined)
  return image.complete && image.naturalWidth > 0 ? image : undefined
}
