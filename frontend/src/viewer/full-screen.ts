import type PhotoSwipe from 'photoswipe'
import { texts } from '../texts-later'

const ENTER = '<path d="M6 12V6h6M20 6h6v6M26 20v6h-6M12 26H6v-6" />'
const LEAVE = '<path d="M12 6v6H6M26 12h-6V6M20 26v-6h6M6 20h6v6" />'

/** Fills the screen with the page, which includes messages and dialogs. iPhones can't. */
export class FullScreen {
  readonly isSupported = document.fullscreenEnabled

  constructor(pswp: PhotoSwipe) {
    if (!this.isSupported) return
    let show = () => {}
    const onChange = () => show()
    pswp.on('uiRegister', () => {
      pswp.ui?.registerElement({
        name: 'full-screen',
        title: texts.fullScreen,
        order: 13,
        isButton: true,
        html: { isCustomSVG: true, size: 32, inner: ENTER },
        onInit: (element) => {
          show = () => {
            const isOn = document.fullscreenElement !== null
            element.title = isOn ? texts.leaveFullScreen : texts.fullScreen
            element.setAttribute('aria-label', element.title)
            const icon = element.querySelector('svg')
            if (icon) icon.innerHTML = isOn ? LEAVE : ENTER
          }
          show()
        },
        onClick: () => this.toggle(),
      })
    })
    document.addEventListener('fullscreenchange', onChange)
    pswp.on('destroy', () => {
      document.removeEventListener('fullscreenchange', onChange)
      this.leave()
    })
  }

  toggle(): void {
    if (this.leave() || !this.isSupported) return
    // A browser may refuse, as in a frame.
    document.documentElement.requestFullscreen().catch(() => {})
  }

  /** Return whether the screen was full. Most browsers leave it at Escape, without a key event. */
  leave(): boolean {
    if (!document.fullscreenElement) return false
    document.exitFullscreen().catch(() => {})
    return true
  }
}
