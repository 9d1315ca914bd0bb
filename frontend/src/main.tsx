import { render } from 'preact'
import { App } from './App'
import { Album } from './album'
import { Deletions } from './deletions'
import { house } from './house'
import { Navigation } from './navigation'
import { Toasts } from './Toasts'
import { Inbox } from './uploads/inbox'
import './style.css'

// Beside the page, not in it: they stay within reach while the viewer is open.
const tray = document.createElement('div')
const toasts = document.createElement('div')
house.element.after(tray, toasts)

const album = new Album()
const deletions = new Deletions(album)
const navigation = new Navigation(album, deletions)
const inbox = new Inbox(album, tray)

render(
  <App album={album} deletions={deletions} navigation={navigation} inbox={inbox} />,
  house.element,
)
render(<Toasts deletions={deletions} />, toasts)
void navigation.begin()
