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
    if (needed <= has) return
    const images = zoomSources(photo, bootstrap)
    const wanted = atLeast(images, needed)?.width ?? 0
    const larger = images.filter(({ width }) => width > has && width <= wanted).reverse()
    if (larger.length === 0) return
    this.#widths.set(element, wanted)
    void this.#replace(element, larger, has)
  }

  /** Show the first image, or one of the next ones until the first is available. */
  async #replace(element: HTMLImageElement, images: Source[], before: number): Promise<void> {
    const wanted = images[0]?.width
    // Another photo may be shown, or an even larger image be needed meanwhile.
    const isWanted = () => element.isConnected && this.#widths.get(element) === wanted
    let shown = before
    for (const pause of [0, ...RETRIES]) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      for (const image of images.filter(({ width }) => width > shown)) {
        if (!isWanted()) return
        const loaded = await load(image.url)
        if (!loaded) continue
        if (!isWanted()) return
        element.removeAttribute('srcset')
        element.src = loaded.src
        shown = image.width
        break
      }
      if (shown === wanted) return
    }
    if (isWanted()) this.#widths.set(element, shown)
  }
}

async function load(url: string): Promise<HTMLImageElement | undefined> {
  const image = new Image()
  image.src = url
  // Chromium shows images of 200 megapixels, but refuses to decode them ahead.
  await image.decode().catch(() => undefined)
  return image.complete && image.naturalWidth > 0 ? image : undefined
}
