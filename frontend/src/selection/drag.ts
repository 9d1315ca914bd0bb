import type { Place } from '../views/album-order'
import type { View } from '../views/views'
import type { Runner } from './runner'

/** Marks a drag of photos of this page: files that come from elsewhere are uploaded. */
const TYPE = 'application/x-safelight-photos'

/** Lets the mouse drag the selected photos to another place, in a view that has an order of its own. */
export class PhotoDrag {
  #line: HTMLElement | undefined

  constructor(
    readonly runner: Runner,
    readonly view: () => View,
  ) {
    addEventListener('dragstart', (event) => this.#started(event))
    addEventListener('dragover', (event) => this.#moved(event))
    addEventListener('drop', (event) => this.#dropped(event))
    addEventListener('dragend', () => this.#show(undefined))
  }

  /** A drag of a photo that is not selected is one of this photo alone. */
  #started({ target, dataTransfer }: DragEvent): void {
    const id = Number(tileAt(target)?.dataset.photo ?? 0)
    if (!id || !this.view().place || !dataTransfer) return
    const { selection } = this.runner
    if (!selection.has(id)) selection.keep([id])
    dataTransfer.setData(TYPE, String(id))
    dataTransfer.effectAllowed = 'move'
  }

  #moved(event: DragEvent): void {
    if (!event.dataTransfer?.types.includes(TYPE)) return
    const tile = tileAt(event.target)
    this.#show(tile, tile && isAfter(event, tile))
    if (!tile) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'move'
  }

  #dropped(event: DragEvent): void {
    const tile = tileAt(event.target)
    const { place } = this.view()
    this.#show(undefined)
    if (!tile || !place || !event.dataTransfer?.types.includes(TYPE)) return
    event.preventDefault()
    const value: Place = { photo: Number(tile.dataset.photo), isAfter: isAfter(event, tile) }
    void this.runner.run(place, value)
  }

  /** Show a line at the edge of a tile, where the photos would be put. */
  #show(tile: HTMLElement | undefined, isAfter = false): void {
    this.#line?.remove()
    this.#line = undefined
    if (!tile) return
    const { left, right, top, height } = tile.getBoundingClientRect()
    const line = document.createElement('div')
    line.className = 'drop-line'
    Object.assign(line.style, {
      left: `${isAfter ? right : left}px`,
      top: `${top}px`,
      height: `${height}px`,
    })
    document.body.append(line)
    this.#line = line
  }
}

const tileAt = (target: EventTarget | null): HTMLElement | undefined =>
  (target as Element | null)?.closest?.<HTMLElement>('.tile[data-photo]') ?? undefined

function isAfter({ clientX }: MouseEvent, tile: HTMLElement): boolean {
  const { left, width } = tile.getBoundingClientRect()
  return clientX > left + width / 2
}
