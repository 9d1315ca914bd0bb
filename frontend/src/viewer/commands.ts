import type PhotoSwipe from 'photoswipe'
import { find, SLIDESHOW, VIEWER } from '../shortcuts/shortcuts'
import { FullScreen } from './full-screen'
import type { Rotation } from './rotation'
import { type Photos, Slideshow } from './slideshow'

/** Those that PhotoSwipe handles itself. */
type OfPhotoSwipe = 'previous' | 'next' | 'zoom' | 'pan'

type Handlers<Name extends string> = Record<Name, () => void>

/** Add the slideshow and full screen to the viewer, and run its shortcuts. */
export function addCommands(
  pswp: PhotoSwipe,
  photos: Photos,
  rotation: Rotation,
  remove: () => void,
): void {
  const slideshow = new Slideshow(pswp, photos)
  const fullScreen = new FullScreen(pswp)
  const ofSlideshow: Handlers<keyof typeof SLIDESHOW> = {
    pause: () => slideshow.pause(),
    end: () => fullScreen.leave() || slideshow.toggle(),
  }
  const ofViewer: Handlers<Exclude<keyof typeof VIEWER, OfPhotoSwipe>> = {
    slideshow: () => slideshow.toggle(),
    fullScreen: () => fullScreen.toggle(),
    rotate: () => rotation.rotate(90),
    rotateLeft: () => rotation.rotate(270),
    delete: remove,
    close: () => fullScreen.leave() || pswp.close(),
  }
  const handlers = (event: KeyboardEvent): (() => void) | undefined => {
    const name = slideshow.isOn ? find(SLIDESHOW, event) : undefined
    if (name) return ofSlideshow[name]
    const other = find(VIEWER, event)
    return other && (ofViewer as Partial<Handlers<string>>)[other]
  }
  pswp.on('keydown', (event) => {
    const { originalEvent } = event
    const target = originalEvent.target as HTMLElement
    if (target.closest?.('input, textarea, select')) {
      event.preventDefault()
      return
    }
    // A focused button is pressed by the key.
    if (originalEvent.key === ' ' && target.closest?.('button, a')) return
    const run = handlers(originalEvent)
    if (!run) return
    event.preventDefault()
    originalEvent.preventDefault()
    run()
  })
}
