import type PhotoSwipe from 'photoswipe'
import { editPhoto, type Photo } from '../api-later'
import { texts } from '../texts-later'

const ICON = '<path d="M6 15h12v12H6zM11 8h7a7 7 0 0 1 7 7v2M21.5 13.5L25 17l3.5-3.5" />'

interface Options {
  photo: () => Photo | undefined
  /** Called with the turned photo once its image is loaded. */
  onChange: (photo: Photo) => void
  onFailure: (message: string) => void
}

/** Turns the current photo: its image at once, by CSS, and then its renditions on the server. */
export class Rotation {
  /** The turns that were asked for, by photo, while requests for them are in progress. */
  #wanted = new Map<number, number>()

  constructor(
    readonly pswp: PhotoSwipe,
    readonly options: Options,
  ) {
    pswp.on('uiRegister', () => {
      pswp.ui?.registerElement({
        name: 'rotate',
        title: texts.rotate,
        ariaLabel: texts.rotate,
        order: 11,
        isButton: true,
        html: { isCustomSVG: true, size: 32, inner: ICON },
        onInit: (element) => {
          pswp.on('change', () => (element.style.display = this.#mayRotate ? '' : 'none'))
        },
        onClick: () => this.rotate(90),
      })
    })
  }

  get #mayRotate(): boolean {
    return !this.options.photo()?.trashed_at
  }

  rotate(degrees: 90 | 270): void {
    const photo = this.options.photo()
    if (!photo || !this.#mayRotate) return
    const isRunning = this.#wanted.has(photo.id)
    const turn = ((this.#wanted.get(photo.id) ?? photo.turn) + degrees) % 360
    this.#wanted.set(photo.id, turn)
    this.#show(turn - photo.turn)
    if (!isRunning) void this.#save(photo)
  }

  /** Store the turn, and again if another one was asked for meanwhile. */
  async #save(photo: Photo): Promise<void> {
    let turned = photo
    try {
      do {
        turned = await editPhoto(photo.id, { turn: this.#turnOf(photo) })
        await load(turned)
      } while (turned.turn !== this.#turnOf(photo))
    } catch (error) {
      this.#show(0)
      this.options.onFailure(`${texts.notRotated(1)} ${(error as Error).message}`)
    }
    this.#wanted.delete(photo.id)
    if (turned !== photo) this.options.onChange(turned)
  }

  #turnOf(photo: Photo): number {
    return this.#wanted.get(photo.id) ?? photo.turn
  }

  /** Turn the image on the screen, and shrink it to fit in. */
  #show(degrees: number): void {
    const { currSlide } = this.pswp
    const element = currSlide?.content.element
    if (!element || !currSlide) return
    const { width, height, panAreaSize, currZoomLevel } = currSlide
    const fit = Math.min(
      1 / currZoomLevel,
      panAreaSize.x / (height * currZoomLevel),
      panAreaSize.y / (width * currZoomLevel),
    )
    element.style.rotate = `${degrees}deg`
    element.style.scale = degrees % 180 ? `${fit}` : ''
  }
}

/** Load the image to show, so that it takes the place of the other one at once. */
async function load({ renditions }: Photo): Promise<void> {
  const image = new Image()
  image.src = renditions.at(-1)?.url ?? ''
  await image.decode().catch(() => undefined)
}
