import { currentPhoto, currentQuery, photoUrl, viewUrl } from './address'
import { type Photo, Problem, Unreachable } from './api'
import type { Deletions } from './deletions'
import type { GridHandle } from './grid/grid'
import { importAgain, loadCode } from './later'
import { Observable } from './observable'
import type { PhotoList } from './photo-list'
import type { SelectionParts } from './selection/parts'
import { pageTitle, photoName, texts } from './texts'
import type { Toasts } from './toasts'
import type { Viewer } from './viewer/viewer'
import { DEFAULT_VIEW, type View, viewName, VIEWS } from './views/views'

/** How many views are kept as they were left. */
const MAX_KEPT = 8

/** Keeps the view, the open photo, the address bar and the browser's history in sync. */
export class Navigation extends Observable {
  view: View = DEFAULT_VIEW
  /** The query of the view's address. */
  query = ''
  selection: SelectionParts | undefined
  readonly grid: { current: GridHandle | null } = { current: null }
  viewer: Viewer | undefined
  /** Whether the previous entry of the history is the grid. */
  #cameFromGrid = false
  #kept = new Map<string, View>([['', DEFAULT_VIEW]])

  constructor(
    readonly list: PhotoList,
    readonly toasts: Toasts,
    readonly loadDeletions: () => Promise<Deletions>,
  ) {
    super()
    addEventListener('popstate', () => void this.#showCurrent())
  }

  async start(): Promise<void> {
    await this.#showCurrent()
  }

  /** Show the view of an address's query, such as `?view=recent`; '' for all photos. */
  goTo(query: string): void {
    if (query !== currentQuery() || currentPhoto()) history.pushState(null, '', viewUrl(query))
    this.#cameFromGrid = false
    scrollTo(0, 0)
    void this.#showCurrent()
  }

  open(slot: number): void {
    const photo = this.list.photos.get(slot)
    if (photo) this.#openPhoto(photo.id)
  }

  #openPhoto(id: number): void {
    history.pushState(null, '', photoUrl(id))
    this.#cameFromGrid = true
    void this.#showCurrent()
  }

  async loadSelection(): Promise<void> {
    const { start } = await import('./selection/parts')
    this.selection ??= start(this)
    this.notify()
  }

  /** Show what the address names. */
  async #showCurrent(): Promise<void> {
    const id = currentPhoto()
    const query = currentQuery()
    if (!id || query !== this.query) this.viewer?.close()
    if (!(await this.#showView(query)) || !id) return
    const slot = await this.#locate(id)
    if (currentPhoto() !== id) return
    if (slot === undefined) this.#showGrid()
    else if (this.viewer) this.viewer.goTo(slot)
    else await this.#openViewer(id)
  }

  /** Return whether the address still names this view once it is shown. */
  async #showView(query: string): Promise<boolean> {
    const view = this.#kept.get(query) ?? (await this.#openView(query))
    if (!view || query !== currentQuery()) return false
    this.#kept.delete(query)
    this.#kept.set(query, view)
    const [oldest = ''] = this.#kept.keys()
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(oldest)
    const isNew = view !== this.view
    this.view = view
    this.query = query
    if (isNew) this.grid.current = null
    if (isNew) this.selection?.clear()
    if (view.source) this.list.show(view.source)
    this.#setTitle()
    this.notify()
    return true
  }

  async #openView(query: string): Promise<View | undefined> {
    const parameters = new URLSearchParams(query)
    const entry = VIEWS[viewName(parameters)]
    if (!entry) return DEFAULT_VIEW
    return loadCode(
      async () => (await importAgain(entry.load)).open(parameters),
      this.toasts,
      () => void this.#showCurrent(),
    )
  }

  async #locate(id: number): Promise<number | undefined> {
    try {
      if (!this.list.isReady) await this.list.refresh()
      const slot = await this.list.locate(id)
      if (slot === undefined) (await import('./locate')).sayGone(this.toasts)
      return slot
    } catch (error) {
      const hasMessage = error instanceof Problem || error instanceof Unreachable
      this.toasts.show(hasMessage ? error.message : texts.unknownError)
      return undefined
    }
  }

  async #openViewer(id: number): Promise<void> {
    const loaded = await loadCode(
      () => Promise.all([importAgain(() => import('./viewer/viewer')), this.loadDeletions()]),
      this.toasts,
      () => this.#openPhoto(id),
    )
    // It may have another slot by now.
    const slot = loaded && (await this.#locate(id))
    if (this.viewer || currentPhoto() !== id) return
    if (!loaded || slot === undefined) {
      this.#showGrid()
      return
    }
    const [{ Viewer }, deletions] = loaded
    this.viewer = new Viewer({
      list: this.list,
      deletions,
      onChange: (photo) => this.#photoChanged(photo),
      onClose: (slot) => this.#viewerClosed(slot),
    })
    this.viewer.open(slot)
  }

  #photoChanged(photo: Photo): void {
    this.#setTitle(photo)
    if (currentPhoto() !== photo.id) history.replaceState(null, '', photoUrl(photo.id))
  }

  #viewerClosed(slot: number): void {
    this.viewer = undefined
    this.#setTitle()
    if (currentQuery() !== this.query) return
    if (currentPhoto()) this.#showGrid()
    this.grid.current?.toSlot(slot, true)
  }

  #setTitle(photo?: Photo): void {
    document.title = pageTitle(photo ? photoName(photo) : this.view.title)
  }

  #showGrid(): void {
    if (this.#cameFromGrid) history.back()
    else history.replaceState(null, '', viewUrl(currentQuery()))
    this.#cameFromGrid = false
  }
}
