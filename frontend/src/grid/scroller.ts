import { ScrollMap } from './scroll-map'

/** How long the document has to rest before it is aligned. */
const REST = 150
/** Scrolling belongs to the wheel, a finger or a key if it follows within this time. */
const INPUT_TIME = 300
/** The longest way, in window heights, that the document scrolls at once without and with these. */
const MAX_STEP = 1.5
const MAX_INPUT_STEP = 20

/**
 * Scrolls the grid with the window.
 *
 * Wheel, fingers and keys move the grid by the pixels that the document scrolls, though the document
 * may be lower. So the grid has an offset to the document. When the scroll bar is dragged, and for
 * the keys Home and End, the position is mapped instead. Once the document rests, it is aligned: it
 * scrolls to where it belongs, while the grid does not move. Until then, its position is changed for
 * nothing else: that would stop a finger's momentum.
 */
export class Scroller {
  /** What to subtract from a position in the grid to get its place in the document. */
  offset = 0
  #map = new ScrollMap(0)
  /** The document's position, from the top of the grid, as it was last seen. */
  #top = 0
  #inputAt = 0
  #isTouched = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    readonly grid: HTMLElement,
    /** Called after the grid or its offset has moved. */
    readonly onMove: (isByUser: boolean) => void,
  ) {}

  /** Return the position in the grid at the top of the window. */
  get y(): number {
    return this.#read() + this.offset
  }

  listen(): () => void {
    const events = new AbortController()
    const options = { signal: events.signal, passive: true }
    const onInput = (event: Event) => this.#onInput(event)
    for (const type of ['wheel', 'keydown', 'touchstart', 'touchmove', 'touchend', 'touchcancel']) {
      addEventListener(type, onInput, options)
    }
    addEventListener('scroll', () => this.#onScroll(), options)
    return () => {
      clearTimeout(this.#timer)
      events.abort()
    }
  }

  /**
   * Use a map, whose height the document has already. Move the grid to `y`, if that is given: where
   * it was when the document's position was last seen.
   */
  setMap(map: ScrollMap, y?: number): void {
    this.#map = map
    const top = this.#read()
    // The event of the last scrolling may still come. But a document that has become lower scrolls
    // automatically.
    const isAtEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 1
    const unseen = isAtEnd ? 0 : top - this.#top
    const isJump = this.#isJump(unseen)
    if (isJump) this.offset = map.toGrid(top) - top
    else if (y !== undefined) this.offset = y + unseen - top
    this.#top = top
    this.#alignSoon()
    if (isJump) this.onMove(true)
  }

  /** Show another part of the grid. */
  moveTo(y: number): void {
    this.offset = y - this.#read()
    this.#align()
    this.onMove(false)
  }

  #read(): number {
    return window.scrollY - this.grid.offsetTop
  }

  #onInput(event: Event): void {
    const isJump = event instanceof KeyboardEvent && /^(Home|End)$/.test(event.key)
    this.#inputAt = isJump ? 0 : Date.now()
    if (event.type.startsWith('touch')) {
      this.#isTouched = (event as TouchEvent).touches.length > 0
      if (!this.#isTouched) this.#alignSoon()
    }
  }

  #onScroll(): void {
    const top = this.#read()
    const step = top - this.#top
    if (step === 0) return
    this.#top = top
    if (this.#isJump(step)) this.offset = this.#map.toGrid(top) - top
    else if (this.#isInput()) this.#inputAt = Date.now()
    // There is little room left to scroll pixel by pixel.
    const isNearEnd = scrollY < innerHeight || top + 2 * innerHeight > this.#map.documentHeight
    if (isNearEnd) this.#align()
    else this.#alignSoon()
    this.onMove(true)
  }

  #isInput(): boolean {
    return this.#isTouched || Date.now() - this.#inputAt < INPUT_TIME
  }

  /** Whether the document was moved by the scroll bar, and not pixel by pixel. */
  #isJump(step: number): boolean {
    return Math.abs(step) > innerHeight * (this.#isInput() ? MAX_INPUT_STEP : MAX_STEP)
  }

  #alignSoon(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!this.#isTouched && this.#align()) this.onMove(false)
    }, REST)
  }

  /** Scroll the document to where the grid's position belongs. Return whether it was elsewhere. */
  #align(): boolean {
    const y = this.y
    const target = this.#map.toDocument(y)
    if (Math.abs(target - this.#read()) < 1) return false
    window.scrollTo({ top: target + this.grid.offsetTop, behavior: 'instant' })
    this.#top = this.#read()
    // Beyond its ends, the document does not scroll.
    const isExact = Math.abs(this.#top - target) < 2
    this.offset = (isExact ? y : this.#map.toGrid(this.#top)) - this.#top
    return true
  }
}
