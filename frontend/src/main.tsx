import { render } from 'preact'
import { currentQuery } from './address'
import { App } from './app'
import { bootstrap } from './bootstrap'
import type { Deletions } from './deletions'
import { importAgain } from './later'
import { Navigation } from './navigation'
import { PhotoList } from './photo-list'
import { ToastStack, Toasts } from './toasts'
import { INTERRUPTED_KEY, Uploader } from './uploads/uploader'
import { ALL_PHOTOS } from './views/views'
import './style.css'

/** How long the first screen loads before the page looks for changes, in milliseconds. */
const LIVE_DELAY = 1_500

// Outside the gallery's element, which is inert while the viewer is open.
const uploads = document.createElement('div')
const messages = document.createElement('div')
bootstrap.element.after(uploads, messages)

const list = new PhotoList(ALL_PHOTOS, currentQuery() ? undefined : bootstrap.months)
const toasts = new Toasts()
let deletions: Deletions | undefined
const loadDeletions = async (): Promise<Deletions> => {
  const { Deletions } = await import('./deletions')
  return (deletions ??= new Deletions(navigation))
}
const navigation = new Navigation(list, toasts, loadDeletions)
const uploader = new Uploader(navigation, uploads)

render(<App list={list} navigation={navigation} uploader={uploader} />, bootstrap.element)
render(<ToastStack toasts={toasts} />, messages)
void navigation.start()

// What is left without a network shows as an error. All else that is live is loaded later.
addEventListener('offline', () => void list.refresh())
const startLive = () => {
  const load = importAgain(() => import('./live'))
  load.then(({ Live }) => new Live(navigation)).catch(() => setTimeout(startLive, LIVE_DELAY))
}
setTimeout(startLive, LIVE_DELAY)

addEventListener('keydown', (event) => {
  const isTyping = (event.target as Element).closest?.('input, textarea, select, dialog')
  if (!/^[/?]$/.test(event.key) || event.ctrlKey || event.metaKey || isTyping) return
  event.preventDefault()
  void import('./shortcuts/page').then(({ pressed }) => pressed(event, navigation))
})
// The app may be installed where photos are touched.
if (matchMedia('(pointer: coarse)').matches) {
  void import('./uploads/shared').then(({ receive }) => receive(uploader)).catch(() => {})
}
try {
  // The page before this one may have deleted photos, or have been left during uploads.
  if (sessionStorage.length > 0) void loadDeletions()
  if (sessionStorage.getItem(INTERRUPTED_KEY)) {
    void import('./uploads/interrupted').then(({ offer }) => offer(toasts))
  }
} catch {
  // Browsers may deny storage.
}
