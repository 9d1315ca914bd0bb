import type PhotoSwipe from 'photoswipe'
import { render } from 'preact'
import { Icon } from '../icons-later'
import { texts } from '../texts-later'
import './slideshow.css'

/** How long each photo is shown, and how long it takes to appear, in milliseconds. */
const INTERVAL = 5_000
const FADE = 600

export interface Photos {
  /** Load what is known of the photo at an index, unless it is loaded. */
  load: (index: number) => Promise<void>
  has: (index: number) => boolean
}

/**
 * Shows one photo after the other, over and over, with nothing else on the screen.
 *
 * The next photo waits until its image is loaded; one that cannot be loaded is left out.
 */
export class Slideshow {
  isOn = false
  #isPaused = false
  #timer = 0
  /** Changes with the timer: what was waiting before is out of date. */
  #turn = 0
  /** How many photos after the current one could not be loaded. */
  #failed = 0
  #lock: Promise<WakeLockSentinel | undefined> | undefined
  #bar: HTMLElement | undefined
  #options: Partial<PhotoSwipe['options']> = {}

  constructor(
    readonly pswp: PhotoSwipe,
    readonly photos: Photos,
  ) {
    pswp.on('uiRegister', () => this.#registerElements())
    pswp.on('change', () => {
      this.#failed = 0
      this.#wait()
    })
    const onVisibilityChange = () => this.#wait()
    document.addEventListener('visibilitychange', onVisibilityChange)
    pswp.on('destroy', () => {
      document.removeEventListener('visibilitychange', onVisibilityChange)
      this.isOn = false
      this.#wait()
      if (this.#bar) render(null, this.#bar)
    })
  }

  toggle(): void {
    this.isOn = !this.isOn
    this.#isPaused = false
    this.#failed = 0
    const { pswp } = this
    if (this.isOn) {
      const { imageClickAction, bgClickAction, tapAction, doubleTapAction, paddingFn } =
        pswp.options
      this.#options = { imageClickAction, bgClickAction, tapAction, doubleTapAction, paddingFn }
      const pause = () => this.pause()
      Object.assign(pswp.options, {
        imageClickAction: pause,
        bgClickAction: pause,
        tapAction: pause,
        doubleTapAction: pause,
        paddingFn: () => ({ top: 0, bottom: 0, left: 0, right: 0 }),
      })
    } else {
      Object.assign(pswp.options, this.#options)
    }
    pswp.element?.classList.toggle('slideshow', this.isOn)
    pswp.updateSize(true)
    // The button that had the focus may be hidden now.
    pswp.element?.focus()
    this.#render(this.isOn ? texts.slideshowStarted : '')
    this.#wait()
  }

  /** Pause, or continue. */
  pause(): void {
    this.#isPaused = !this.#isPaused
    this.pswp.element?.focus()
    this.#render(this.#isPaused ? texts.slideshowPaused : texts.slideshowResumed)
    this.#wait()
  }

  /** Show the current photo for the whole interval, or until the slideshow continues. */
  #wait(): void {
    clearTimeout(this.#timer)
    this.#turn++
    const isPlaying = this.isOn && !this.#isPaused && !document.hidden
    if (isPlaying) this.#timer = window.setTimeout(() => void this.#advance(), INTERVAL)
    this.#keepAwake(isPlaying)
  }

  async #advance(): Promise<void> {
    const turn = this.#turn
    const { pswp } = this
    const { currSlide } = pswp
    const isZoomed = currSlide && currSlide.currZoomLevel > currSlide.zoomLevels.initial
    const count = pswp.getNumItems()
    const next = (pswp.currIndex + 1 + this.#failed) % count
    if (isZoomed || next === pswp.currIndex || document.querySelector('dialog[open]')) {
      this.#failed = 0
      this.#wait()
      return
    }
    const isLoaded = await this.#load(next)
    if (turn !== this.#turn) return
    if (isLoaded) {
      this.#show(next)
    } else {
      // Without a network, each photo fails at once: the interval keeps this from racing on.
      if (isLoaded === false) this.#failed++
      this.#wait()
    }
  }

  /** Return whether the image at an index could be loaded; undefined if that is to be tried again. */
  async #load(index: number): Promise<boolean | undefined> {
    const { contentLoader } = this.pswp
    await this.photos.load(index)
    if (!this.photos.has(index)) return undefined
    contentLoader.loadSlideByIndex(index)
    const content = contentLoader.getContentByIndex(index)
    if (content?.isError()) return false
    const image = content?.element
    if (!(image instanceof HTMLImageElement)) return undefined
    // Chromium refuses to decode very large images ahead.
    await image.decode().catch(() => {})
    return image.complete && image.naturalWidth > 0 ? true : undefined
  }

  #show(index: number): void {
    const { pswp } = this
    const before = pswp.currSlide?.container
    pswp.goTo(index)
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
    pswp.currSlide?.container.animate([{ opacity: 0 }, { opacity: 1 }], FADE)
    if (!before || !pswp.scrollWrap) return
    const leaving = document.createElement('div')
    leaving.className = 'pswp__item slideshow-leaving'
    leaving.inert = true
    leaving.append(before.cloneNode(true))
    pswp.scrollWrap.append(leaving)
    leaving.animate([{ opacity: 1 }, { opacity: 0 }], FADE).onfinish = () => leaving.remove()
  }

  /** Keep the screen on, where the browser can: it needs HTTPS, and a battery that is not low. */
  #keepAwake(isWanted: boolean): void {
    if (isWanted) {
      this.#lock ??= navigator.wakeLock?.request('screen').catch(() => undefined)
    } else {
      void this.#lock?.then((lock) => lock?.release())
      this.#lock = undefined
    }
  }

  #registerElements(): void {
    const { ui } = this.pswp
    ui?.registerElement({
      name: 'slideshow',
      title: texts.slideshow,
      order: 11,
      isButton: true,
      html: { isCustomSVG: true, size: 32, inner: '<path d="M11 8v16l13-8z" />' },
      onClick: () => this.toggle(),
    })
    ui?.registerElement({
      name: 'slideshow-bar',
      className: 'slideshow-bar',
      appendTo: 'root',
      onInit: (element) => {
        this.#bar = element
        this.#render('')
      },
    })
  }

  #render(message: string): void {
    if (!this.#bar) return
    render(
      <>
        <p role="status" class={message === texts.slideshowStarted ? '' : 'visually-hidden'}>
          {message}
        </p>
        {this.isOn && this.#isPaused && (
          <>
            <button type="button" class="secondary" onClick={() => this.pause()}>
              <Icon name="play" />
              {texts.resumeSlideshow}
            </button>
            <button type="button" class="secondary" onClick={() => this.toggle()}>
              <Icon name="close" />
              {texts.endSlideshow}
            </button>
          </>
        )}
      </>,
      this.#bar,
    )
  }
}
