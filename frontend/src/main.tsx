import { render } from 'preact'
import { App } from './app'
import { Album } from './album'
import { Deletions } from './deletions'
import { bootstrap } from './bootstrap'
import { Navigation } from './navigation'
import { Toasts } from './toasts'
import { Uploader } from './uploads/uploader'
import './style.css'

// Outside the gallery's element, which is inert while the viewer is open.
const uploads = document.createElement('div')
const toasts = document.createElement('div')
bootstrap.element.after(uploads, toasts)

const album = new Album()
const deletions = new Deletions(album)
const navigation = new Navigation(album, deletions)
const uploader = new Uploader(album, uploads)

render(
  <App album={album} deletions={deletions} navigation={navigation} uploader={uploader} />,
  bootstrap.element,
)
render(<Toasts deletions={deletions} />, toasts)
void navigation.start()
