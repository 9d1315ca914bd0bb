import type { Album } from './album'
import { type Photo, Problem, Unreachable } from './api'
import { bootstrap } from './bootstrap'
import type { Deletions } from './deletions'
import type { GridHandle } from './grid/grid'
import { pageTitle, texts } from './texts'
import type { Viewer } from './viewer/viewer'

const urlOf = (id: number): string => `${bootstrap.root}/photo/${id}`
const photoIdIn = (path: string): number => Number(/\/photo\/(\d+)$/.exec(path)?.[1] ?? 0)

/** Keeps the open photo, the address bar and the browser's history in sync. */
export class Navigation {
  #viewer: Viewer | undefined
  /** Whether the previous entry of the history is the grid. */
  #cameFromGrid = false
  readonly grid: { current: GridHandle | null } = { current: null }

  constructor(
    readonly album: Album,
    readonly deletions: Deletions,
  ) {
    addEventListener('popstate', () => void this.#showCurrent())
  }

  async start(): Promise<void> {
    await this.#showCurrent()
  }

  open(slot: number): void {
    const photo = this.album.photos.get(slot)
    if (!photo) return
    history.pushState(null, '', urlOf(photo.id))
    this.#cameFromGrid = true
    void this.#show(slot)
  }

  /** Show what the address names. */
  async #showCurrent(): Promise<void> {
    const id = photoIdIn(location.pathname)
    if (!id) {
      this.#viewer?.close()
      return
    }
    const slot = await this.#locate(id)
    if (photoIdIn(location.pathname) !== id) return
    if (slot !== undefined) await this.#show(slot)
    else this.#showGrid()
  }

  async #locate(id: number): Promise<number | undefined> {
    try {
      const slot = await this.album.locate(id)
      if (slot === undefined) this.deletions.showToast(texts.gone)
      return slot
    } catch (error) {
      const hasMessage = error instanceof Problem || error instanceof Unreachable
      this.deletions.showToast(hasMessage ? error.message : texts.unknownError)
      return undefined
    }
  }

  async #show(slot: number): Promise<void> {
    if (this.#viewer) {
      this.#viewer.goTo(slot)
      return
    }
    const id = this.album.photos.get(slot)?.id
    const { Viewer } = await import('./viewer/viewer')
    if (this.#viewer || photoIdIn(location.pathname) !== id) return
    this.#viewer = new Viewer({
      album: this.album,
      deletions: this.deletions,
      onChange: (photo) => this.#photoChanged(photo),
      onClose: (slot) => this.#viewerClosed(slot),
    })
    this.#viewer.open(slot)
  }

  #photoChanged(photo: Photo): void {
    document.title = pageTitle(photo)
    if (photoIdIn(location.pathname) !== photo.id) history.replaceState(null, '', urlOf(photo.id))
  }

  #viewerClosed(slot: number): void {
    this.#viewer = undefined
    document.title = pageTitle()
    if (photoIdIn(location.pathname)) this.#showGrid()
    this.grid.current?.toSlot(slot, true)
  }

  #showGrid(): void {
    if (this.#cameFromGrid) history.back()
    else history.replaceState(null, '', `${bootstrap.root}/`)
    this.#cameFromGrid = false
  }
}
