import { bootstrap } from '../bootstrap'
import { find, SELECTED, SELECTING } from '../shortcuts/shortcuts'
import type { Selection } from './selection'

/** How long a finger rests on a photo to select it, and how far it may move meanwhile. */
const LONG_PRESS = 450
const TOLERANCE = 10
/** A drag within this distance of the top or bottom of the window scrolls, by pixels per frame. */
const EDGE = 90
const SCROLL_STEP = 14
/** A click this long after a drag belongs to it. */
const CLICK_TIME = 300

const slotOf = (target: EventTarget | null): number =>
  Number((target as HTMLElement | null)?.closest?.<HTMLElement>('.tile')?.dataset.slot ?? -1)

/** Selects with the mouse, with fingers and with keys. */
export class SelectionInput {
  #press: { id: number; x: number; y: number; timer: number } | undefined
  /** Where the finger is that selects a range. */
  #drag: { x: number; y: number } | undefined
  #isExtending = false
  /** The slot that the last drag has reached. */
  #reached = -1
  /** When the last drag ended: the click that may follow must not open the photo. */
  #releasedAt = 0

  constructor(readonly selection: Selection) {
    const click = (event: MouseEvent) => this.#clicked(event)
    addEventListener('click', click, { capture: true })
    addEventListener('keydown', (event) => this.keyPressed(event), { capture: true })
    addEventListener('focusin', (event) => this.#focused(event))
    addEventListener('touchstart', (event) => this.touched(event), { passive: true })
    addEventListener('touchmove', (event) => this.#moved(event), { passive: false })
    for (const type of ['touchend', 'touchcancel']) addEventListener(type, () => this.#released())
    // A long press would open the menu of the link.
    addEventListener('contextmenu', (event) => {
      if (this.#press || this.#drag) event.preventDefault()
    })
  }

  /** While photos are selected, a click on one selects it too. */
  #clicked(event: MouseEvent): void {
    const target = event.target as HTMLElement
    const slot = slotOf(target)
    const { selection } = this
    const isOfDrag = Date.now() - this.#releasedAt < CLICK_TIME
    if (slot < 0 || !(selection.isOn || isOfDrag)) return
    event.preventDefault()
    event.stopPropagation()
    if (isOfDrag) return
    if (event.shiftKey) void selection.extendTo(slot)
    else selection.toggle(slot)
  }

  /** Handle a key of the page; also of the event that has loaded this code. */
  keyPressed(event: KeyboardEvent): void {
    const target = event.target as HTMLElement
    if (bootstrap.element.inert || target.closest?.('dialog')) return
    const ofSelected = find(SELECTED, event)
    if (event.altKey || target.closest?.('input, textarea, select')) {
      if (ofSelected === 'end') this.#escape(event)
      return
    }
    const slot = slotOf(target)
    const { selection } = this
    const name = find(SELECTING, event)
    this.#isExtending = false
    if (name === 'all') {
      if (selection.list.total === 0) return
      event.preventDefault()
      getSelection()?.removeAllRanges()
      void selection.selectAll()
    } else if (ofSelected === 'end') {
      this.#escape(event)
    } else if (name === 'extend') {
      if (slot < 0) return
      if (!selection.hasAnchor) selection.startAt(slot)
      this.#isExtending = true
    } else if (name === 'toggle' && slot >= 0) {
      event.preventDefault()
      selection.toggle(slot)
    } else if (selection.isOn && !event.ctrlKey && !event.metaKey) {
      const isMove = ofSelected === 'actions'
      const to = isMove ? 'button.secondary' : `[data-key="${CSS.escape(event.key)}"]`
      const button = document.querySelector<HTMLElement>(`.selection-actions ${to}`)
      if (!button) return
      event.preventDefault()
      button.focus()
      if (!isMove) button.click()
    }
  }

  #escape(event: KeyboardEvent): void {
    if (!this.selection.isOn) return
    event.preventDefault()
    const cancel = document.querySelector<HTMLElement>('.selection-form button[type=button]')
    if (cancel) cancel.click()
    else this.selection.clear()
  }

  /** The grid has moved the focus: with Shift, the range ends there. */
  #focused(event: FocusEvent): void {
    const slot = slotOf(event.target)
    if (this.#isExtending && slot >= 0) void this.selection.extendTo(slot)
  }

  /** Wait whether a touch becomes a long press; also the one that has loaded this code. */
  touched(event: TouchEvent): void {
    this.#released()
    this.#releasedAt = 0
    const [touch] = event.touches
    const id = this.selection.list.photos.get(slotOf(event.target))?.id
    if (!touch || id === undefined || event.touches.length > 1) return
    const timer = window.setTimeout(() => this.#pressed(), LONG_PRESS)
    this.#press = { id, x: touch.clientX, y: touch.clientY, timer }
  }

  #pressed(): void {
    const { selection } = this
    if (!this.#press) return
    const { id, x, y } = this.#press
    const slot = selection.list.slotOf(id)
    this.#press = undefined
    if (slot === undefined) return
    if (selection.has(id)) selection.startAt(slot)
    else selection.toggle(slot)
    navigator.vibrate?.(20)
    this.#drag = { x, y }
    this.#reached = slot
    this.#scrollAtEdge()
  }

  #moved(event: TouchEvent): void {
    const [touch] = event.touches
    if (!touch) return
    const { clientX: x, clientY: y } = touch
    if (this.#press && Math.hypot(x - this.#press.x, y - this.#press.y) > TOLERANCE) {
      this.#released()
    }
    if (!this.#drag) return
    if (event.cancelable) event.preventDefault()
    this.#drag = { x, y }
    this.#extendToFinger()
  }

  #extendToFinger(): void {
    if (!this.#drag) return
    const slot = slotOf(document.elementFromPoint(this.#drag.x, this.#drag.y))
    if (slot < 0 || slot === this.#reached) return
    this.#reached = slot
    void this.selection.extendTo(slot)
  }

  #scrollAtEdge(): void {
    if (!this.#drag) return
    const { y } = this.#drag
    const step = y < EDGE ? -SCROLL_STEP : y > innerHeight - EDGE ? SCROLL_STEP : 0
    if (step) {
      scrollBy(0, step)
      this.#extendToFinger()
    }
    requestAnimationFrame(() => this.#scrollAtEdge())
  }

  #released(): void {
    clearTimeout(this.#press?.timer)
    this.#press = undefined
    if (this.#drag) this.#releasedAt = Date.now()
    this.#drag = undefined
  }
}
