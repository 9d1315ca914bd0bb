import PhotoSwipe, { type SlideData } from 'photoswipe'
import { render } from 'preact'
import 'photoswipe/style.css'
import './viewer.css'
import type { Album } from '../album'
import type { Photo } from '../api'
import type { Deletions } from '../deletions'
import { house } from '../house'
import { name, texts } from '../texts'
import { sketch, sources, srcset } from '../wall/picture'
import { Panel } from './Panel'

interface Around {
  album: Album
  deletions: Deletions
  /** Another photo is being looked at. */
  onTurn: (photo: Photo) => void
  /** It closed, at this slot. */
  onClosed: (slot: number) => void
}

const WIDE = 900
const PANEL = 340

/** One photo at a time, as large as it fits. */
export class Viewer {
  #pswp: PhotoSwipe | undefined
  #panel: HTMLElement | undefined
  #open = innerWidth >= WIDE
  /** The slots that can be turned to, in order. */
  #order: number[] = []
  /** What the slides hold: the ids of the photo and of its neighbours. */
  #held = ''
  #current: Photo | undefined
  #unsubscribe: (() => void) | undefined

  constructor(readonly around: Around) {}

  open(slot: number): void {
    const { album } = this.around
    this.#orderAnew()
    const pswp = new PhotoSwipe({
      index: Math.max(0, this.#order.indexOf(slot)),
      loop: false,
      trapFocus: false,
      returnFocus: false,
      counter: false,
      wheelToZoom: true,
      bgOpacity: 1,
      clickToCloseNonZoomable: false,
      imageClickAction: 'zoom',
      tapAction: 'toggle-controls',
      // Its own way hears no key until it is over; the style sheet has another.
      showHideAnimationType: 'none',
      mainClass: 'safelight',
      closeTitle: texts.close,
      zoomTitle: texts.zoom,
      arrowPrevTitle: texts.previous,
      arrowNextTitle: texts.next,
      errorMsg: texts.broken,
      paddingFn: () => this.#padding(),
    })
    this.#pswp = pswp
    pswp.addFilter('numItems', () => this.#order.length)
    pswp.addFilter('itemData', (_item, index) => this.#slide(index))
    pswp.on('uiRegister', () => this.#addDetails(pswp))
    pswp.on('change', () => this.#turned())
    pswp.on('keydown', (event) => this.#pressed(event))
    pswp.on('destroy', () => this.#ended())
    pswp.init()
    const photo = this.#current
    if (photo) pswp.element?.style.setProperty('--ratio', `${photo.width} / ${photo.height}`)
    this.#label()
    house.element.inert = true
    this.#unsubscribe = album.subscribe(() => this.#follow())
    pswp.element?.focus()
  }

  turnTo(slot: number): void {
    const index = this.#order.indexOf(slot)
    if (index >= 0 && this.#pswp && index !== this.#pswp.currIndex) this.#pswp.goTo(index)
  }

  close(): void {
    this.#pswp?.close()
  }

  #orderAnew(): void {
    const { album } = this.around
    this.#order = []
    for (let slot = 0; slot < album.total; slot++) {
      if (!album.isHidden(slot)) this.#order.push(slot)
    }
  }

  #photo(index: number): Photo | undefined {
    const slot = this.#order[index]
    return slot === undefined ? undefined : this.around.album.slots[slot]
  }

  #slide(index: number): SlideData {
    const photo = this.#photo(index)
    if (!photo) return { html: '' }
    const best = sources(photo).at(-1)
    // What moves is shown as it came: the renditions stand still.
    const shown = photo.animated || !best ? undefined : best
    const width = shown?.width ?? photo.width
    return {
      src: shown?.url ?? photo.photo_url,
      ...(shown ? { srcset: srcset(photo) } : {}),
      msrc: sketch(photo),
      width,
      height: Math.round((width * photo.height) / photo.width),
      alt: name(photo),
    }
  }

  #padding() {
    const side = this.#open && innerWidth >= WIDE ? PANEL : 0
    const below = this.#open && innerWidth < WIDE ? Math.round(innerHeight * 0.5) : 0
    return { top: 60, bottom: below || 12, left: 0, right: side }
  }

  #addDetails(pswp: PhotoSwipe): void {
    pswp.ui?.registerElement({
      name: 'details',
      title: texts.details,
      ariaLabel: texts.details,
      order: 12,
      isButton: true,
      html: {
        isCustomSVG: true,
        size: 32,
        inner: '<path d="M16 14v9M16 9.6v.1M16 28a12 12 0 1 0 0-24 12 12 0 0 0 0 24z" />',
      },
      onInit: (element) => element.setAttribute('aria-expanded', String(this.#open)),
      onClick: (_event, element) => {
        this.#open = !this.#open
        element.setAttribute('aria-expanded', String(this.#open))
        this.#draw()
        pswp.updateSize(true)
      },
    })
    pswp.ui?.registerElement({
      name: 'panel',
      className: 'panel-place',
      appendTo: 'root',
      onInit: (element) => {
        this.#panel = element
      },
    })
  }

  #turned(): void {
    const pswp = this.#pswp
    if (!pswp) return
    const index = pswp.currIndex
    const slot = this.#order[index] ?? 0
    void this.around.album.have(slot - 3, slot + 4)
    const photo = this.#photo(index)
    this.#held = this.#ids(index)
    if (photo) this.around.onTurn(photo)
    this.#current = photo
    this.#draw()
    this.#label()
  }

  #label(): void {
    const element = this.#pswp?.element
    if (!element) return
    element.setAttribute('aria-modal', 'true')
    const photo = this.#current
    element.setAttribute('aria-label', photo ? `${texts.viewer}: ${name(photo)}` : texts.viewer)
  }

  #ids(index: number): string {
    return [index - 1, index, index + 1].map((n) => this.#photo(n)?.id).join()
  }

  /** The album has changed: stay with the photo, or, where it went, with its place. */
  #follow(): void {
    const pswp = this.#pswp
    if (!pswp) return
    this.#orderAnew()
    if (this.#order.length === 0) {
      pswp.close()
      return
    }
    const { album } = this.around
    const slot = this.#current && album.slotOf(this.#current.id)
    const found = slot === undefined ? -1 : this.#order.indexOf(slot)
    const index = found >= 0 ? found : Math.min(pswp.currIndex, this.#order.length - 1)
    if (index !== pswp.currIndex || this.#ids(index) !== this.#held) {
      this.#held = this.#ids(index)
      pswp.contentLoader.destroy()
      if (index !== pswp.currIndex) pswp.goTo(index)
      for (const n of [index - 1, index, index + 1]) {
        if (n >= 0 && n < this.#order.length) pswp.refreshSlideContent(n)
      }
    } else {
      this.#current = this.#photo(index)
      this.#draw()
      this.#label()
    }
  }

  #draw(): void {
    const place = this.#panel
    if (!place) return
    const photo = this.#current
    place.classList.toggle('open', this.#open && photo !== undefined)
    render(
      this.#open && photo ? (
        <Panel
          key={photo.id}
          photo={photo}
          onChange={(changed) => this.around.album.replace(changed)}
          onDelete={() => this.#delete()}
        />
      ) : null,
      place,
    )
  }

  #delete(): void {
    const photo = this.#current
    if (!photo) return
    this.around.deletions.delete(photo)
    this.#pswp?.element?.focus()
  }

  #pressed(event: { originalEvent: KeyboardEvent; preventDefault: () => void }): void {
    const { key, target } = event.originalEvent
    if ((target as HTMLElement).closest?.('input, textarea')) {
      event.preventDefault()
    } else if (key === 'Delete') {
      this.#delete()
      event.preventDefault()
    }
  }

  #ended(): void {
    const pswp = this.#pswp
    if (!pswp) return
    if (this.#panel) render(null, this.#panel)
    this.#pswp = undefined
    this.#unsubscribe?.()
    house.element.inert = false
    this.around.onClosed(this.#order[pswp.currIndex] ?? 0)
  }
}
