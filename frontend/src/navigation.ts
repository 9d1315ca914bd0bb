import type { Album } from './album'
import type { Photo } from './api'
import { Problem, Unreachable } from './api'
import type { Deletions } from './deletions'
import { house } from './house'
import { pageTitle, texts } from './texts'
import type { Viewer } from './viewer/Viewer'
import type { WallHandle } from './wall/Wall'

const addressOf = (id: number): string => `${house.root}/photo/${id}`
const photoIn = (path: string): number => Number(/\/photo\/(\d+)$/.exec(path)?.[1] ?? 0)

/** The photo that is open, the address bar, and the browser's way back, in step. */
export class Navigation {
  #viewer: Viewer | undefined
  /** Whether the page before this one in the history is the wall. */
  #cameFromWall = false
  readonly wall: { current: WallHandle | null } = { current: null }

  constructor(
    readonly album: Album,
    readonly deletions: Deletions,
  ) {
    addEventListener('popstate', () => void this.#follow())
  }

  /** Open what the address names. */
  async begin(): Promise<void> {
    await this.#follow()
  }

  open(slot: number): void {
    const photo = this.album.slots[slot]
    if (!photo) return
    history.pushState(null, '', addressOf(photo.id))
    this.#cameFromWall = true
    void this.#show(slot)
  }

  async #follow(): Promise<void> {
    const id = photoIn(location.pathname)
    if (!id) {
      this.#viewer?.close()
      return
    }
    const slot = await this.#locate(id)
    if (photoIn(location.pathname) !== id) return
    if (slot !== undefined) await this.#show(slot)
    else this.#leave()
  }

  async #locate(id: number): Promise<number | undefined> {
    try {
      const slot = await this.album.locate(id)
      if (slot === undefined) this.deletions.say(texts.gone)
      return slot
    } catch (error) {
      const known = error instanceof Problem || error instanceof Unreachable
      this.deletions.say(known ? error.message : texts.wrong)
      return undefined
    }
  }

  async #show(slot: number): Promise<void> {
    if (this.#viewer) {
      this.#viewer.turnTo(slot)
      return
    }
    const id = this.album.slots[slot]?.id
    const { Viewer } = await import('./viewer/Viewer')
    if (this.#viewer || photoIn(location.pathname) !== id) return
    this.#viewer = new Viewer({
      album: this.album,
      deletions: this.deletions,
      onTurn: (photo) => this.#turned(photo),
      onClosed: (last) => this.#closed(last),
    })
    this.#viewer.open(slot)
  }

  #turned(photo: Photo): void {
    document.title = pageTitle(photo)
    if (photoIn(location.pathname) !== photo.id) history.replaceState(null, '', addressOf(photo.id))
  }

  #closed(slot: number): void {
    this.#viewer = undefined
    document.title = pageTitle()
    if (photoIn(location.pathname)) this.#leave()
    this.wall.current?.toSlot(slot, true)
  }

  #leave(): void {
    if (this.#cameFromWall) history.back()
    else history.replaceState(null, '', `${house.root}/`)
    this.#cameFromWall = false
  }
}
