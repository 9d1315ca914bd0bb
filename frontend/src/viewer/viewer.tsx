import PhotoSwipe, { type SlideData } from 'photoswipe'
import { render } from 'preact'
import 'photoswipe/style.css'
import './viewer.css'
import type { PhotoList } from '../photo-list'
import type { Photo } from '../api'
import { bootstrap } from '../bootstrap'
import type { Deletions } from '../deletions'
import { srcset } from '../grid/images'
import { placeholder } from '../grid/placeholder'
import { photoName, texts } from '../texts-later'
import { addCommands } from './commands'
import { DetailsPanel } from './details-panel'
import { renewLinks, sayWhere } from './gone'
import { Rotation } from './rotation'
import { Sharpener } from './sharpener'
import { TrashPanel } from './trash-panel'
import { madeSources, zoomSources } from './sources'

interface Options {
  list: PhotoList
  deletions: Deletions
  /** Called for each photo that is shown. */
  onChange: (photo: Photo) => void
  /** Called with the slot that was shown last. */
  onClose: (slot: number) => void
}

/** At this window width the details are beside the photo, below it they are under it. */
const WIDE = 900
const PANEL_WIDTH = 340 // as in viewer.css

/** Shows one photo at a time, with PhotoSwipe. */
export class Viewer {
  #pswp: PhotoSwipe | undefined
  #panel: HTMLElement | undefined
  #isPanelOpen = innerWidth >= WIDE
  /** The slots that are left out, in order. */
  #hidden: number[] = []
  /** The ids and turns of the current photo and its neighbours, joined. */
  #slideIds = ''
  #current: Photo | undefined
  #unsubscribe: (() => void) | undefined
  /** The id of the photo that this page itself takes out of the list. */
  #leaving: number | undefined

  constructor(readonly options: Options) {}

  open(slot: number): void {
    const { list } = this.options
    this.#hidden = list.hiddenSlots()
    const pswp = new PhotoSwipe({
      index: Math.max(0, this.#indexOf(slot)),
      loop: false,
      trapFocus: false,
      returnFocus: false,
      counter: false,
      wheelToZoom: true,
      bgOpacity: 1,
      clickToCloseNonZoomable: false,
      imageClickAction: 'zoom',
      tapAction: 'toggle-controls',
      // A panorama fills the window; PhotoSwipe's own limit is a width of 4000 pixels.
      secondaryZoomLevel: ({ fit, fill }) => Math.max(Math.min(1, fit * 3), fill),
      // PhotoSwipe's own animation ignores keys; viewer.css has another one.
      showHideAnimationType: 'none',
      mainClass: 'safelight',
      closeTitle: texts.close,
      zoomTitle: texts.zoom,
      arrowPrevTitle: texts.previous,
      arrowNextTitle: texts.next,
      errorMsg: texts.photoNotLoaded,
      paddingFn: () => this.#padding(),
    })
    this.#pswp = pswp
    pswp.addFilter('numItems', () => this.#count)
    pswp.addFilter('itemData', (_item, index) => this.#slide(index))
    pswp.on('uiRegister', () => this.#registerElements(pswp))
    pswp.on('change', () => this.#slideChanged())
    const photos = {
      // The photos near the current one stay loaded, too.
      load: (index: number) => list.loadVisible(this.#slotAt(index), this.#slotAt(index) + 1),
      has: (index: number) => this.#photo(index) !== undefined,
    }
    const rotation = new Rotation(pswp, {
      photo: () => this.#current,
      // Without a rendition yet, the list says where the first one is made.
      onChange: (turned) => (turned.renditions[0] ? list.replace(turned) : void list.refresh()),
      onFailure: (message) => this.options.deletions.toasts.show(message),
    })
    addCommands(pswp, photos, rotation, () => this.#delete())
    renewLinks(pswp, list, {
      photoAt: (index) => this.#photo(index),
      indexOf: (slot) => this.#indexOf(slot),
    })
    new Sharpener(pswp, (index) => this.#photo(index))
    pswp.on('destroy', () => this.#closed())
    pswp.init()
    const photo = this.#current
    if (photo) pswp.element?.style.setProperty('--ratio', `${photo.width} / ${photo.height}`)
    this.#updateLabel()
    bootstrap.element.inert = true
    this.#unsubscribe = list.subscribe(() => this.#listChanged())
    pswp.element?.focus()
  }

  goTo(slot: number): void {
    const index = this.#indexOf(slot)
    if (index >= 0 && this.#pswp && index !== this.#pswp.currIndex) this.#pswp.goTo(index)
  }

  close(): void {
    this.#pswp?.close()
  }

  get #count(): number {
    return this.options.list.total - this.#hidden.length
  }

  #slotAt(index: number): number {
    return this.#hidden.reduce((slot, hidden) => (hidden <= slot ? slot + 1 : slot), index)
  }

  /** Return the index of a slot, or -1 if it is left out. */
  #indexOf(slot: number): number {
    if (this.#hidden.includes(slot)) return -1
    return slot - this.#hidden.filter((hidden) => hidden < slot).length
  }

  #photo(index: number): Photo | undefined {
    return this.options.list.photos.get(this.#slotAt(index))
  }

  #slide(index: number): SlideData {
    const photo = this.#photo(index)
    if (!photo) return { html: '' }
    // Renditions are not animated: show the original of an animation.
    const isAnimation = photo.animated && photo.displayable
    // What exists is shown at once; the sharpener replaces it by a larger image where that helps.
    const images = isAnimation ? [] : madeSources(photo)
    const largest = images.at(-1)
    const width =
      (isAnimation ? undefined : zoomSources(photo, bootstrap).at(-1)?.width) ?? photo.width
    return {
      src: largest?.url ?? (isAnimation ? photo.original_url : photo.photo_url),
      ...(largest ? { srcset: srcset(images) } : {}),
      msrc: placeholder(photo),
      width,
      height: Math.round((width * photo.height) / photo.width),
      alt: photoName(photo),
    }
  }

  #padding() {
    const right = this.#isPanelOpen && innerWidth >= WIDE ? PANEL_WIDTH : 0
    const bottom = this.#isPanelOpen && innerWidth < WIDE ? Math.round(innerHeight * 0.5) : 0
    return { top: 60, bottom: bottom || 12, left: 0, right }
  }

  #registerElements(pswp: PhotoSwipe): void {
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
      onInit: (element) => element.setAttribute('aria-expanded', String(this.#isPanelOpen)),
      onClick: (_event, element) => {
        this.#isPanelOpen = !this.#isPanelOpen
        element.setAttribute('aria-expanded', String(this.#isPanelOpen))
        this.#renderPanel()
        pswp.updateSize(true)
      },
    })
    pswp.ui?.registerElement({
      name: 'panel',
      className: 'panel-container',
      appendTo: 'root',
      onInit: (element) => {
        this.#panel = element
      },
    })
  }

  #slideChanged(): void {
    const pswp = this.#pswp
    if (!pswp) return
    const index = pswp.currIndex
    const slot = this.#slotAt(index)
    void this.options.list.load(slot - 3, slot + 4)
    const photo = this.#photo(index)
    this.#slideIds = this.#ids(index)
    if (photo) this.options.onChange(photo)
    this.#current = photo
    this.options.list.followed = photo?.id
    this.#renderPanel()
    this.#updateLabel()
  }

  #updateLabel(): void {
    const element = this.#pswp?.element
    if (!element) return
    element.setAttribute('aria-modal', 'true')
    const photo = this.#current
    element.setAttribute(
      'aria-label',
      photo ? `${texts.viewer}: ${photoName(photo)}` : texts.viewer,
    )
  }

  #ids(index: number): string {
    const shown = [index - 1, index, index + 1].map((n) => this.#photo(n))
    return shown.map((photo) => photo && `${photo.id}/${photo.turn}`).join()
  }

  /** Stay with the current photo; if it is gone, show the one that took its place. */
  #listChanged(): void {
    const pswp = this.#pswp
    if (!pswp) return
    this.#hidden = this.options.list.hiddenSlots()
    if (this.#count <= 0) {
      pswp.close()
      return
    }
    const { list } = this.options
    const slot = this.#current && list.slotOf(this.#current.id)
    if (this.#current && slot === undefined && this.#current.id !== this.#leaving) {
      void sayWhere(this.#current, this.options.deletions.toasts)
    }
    const found = slot === undefined ? -1 : this.#indexOf(slot)
    const index = found >= 0 ? found : Math.min(pswp.currIndex, this.#count - 1)
    if (index !== pswp.currIndex || this.#ids(index) !== this.#slideIds) {
      this.#slideIds = this.#ids(index)
      this.#current = this.#photo(index)
      list.followed = this.#current?.id
      pswp.contentLoader.destroy()
      if (index !== pswp.currIndex) pswp.goTo(index)
      for (const n of [index - 1, index, index + 1]) {
        if (n >= 0 && n < this.#count) pswp.refreshSlideContent(n)
      }
    } else {
      this.#current = this.#photo(index)
      this.#renderPanel()
      this.#updateLabel()
    }
  }

  #renderPanel(): void {
    const container = this.#panel
    if (!container) return
    const photo = this.#current
    container.classList.toggle('open', this.#isPanelOpen && photo !== undefined)
    render(
      this.#isPanelOpen && photo?.trashed_at ? (
        <TrashPanel
          key={photo.id}
          photo={photo}
          onGone={() => {
            this.#leaving = photo.id
            this.options.list.remove(photo.id)
            this.#pswp?.element?.focus()
          }}
        />
      ) : this.#isPanelOpen && photo ? (
        <DetailsPanel
          key={photo.id}
          photo={photo}
          album={this.options.list.source.album}
          onChange={(edited) => this.options.list.replace(edited)}
          onMove={(edited) => void this.options.list.move(edited)}
          onDelete={() => this.#delete()}
        />
      ) : null,
      container,
    )
  }

  #delete(): void {
    const photo = this.#current
    if (!photo || photo.trashed_at) return
    this.options.deletions.delete(photo)
    this.#pswp?.element?.focus()
  }

  #closed(): void {
    const pswp = this.#pswp
    if (!pswp) return
    if (this.#panel) render(null, this.#panel)
    this.#pswp = undefined
    this.options.list.followed = undefined
    this.#unsubscribe?.()
    bootstrap.element.inert = false
    this.options.onClose(this.#slotAt(pswp.currIndex))
  }
}
