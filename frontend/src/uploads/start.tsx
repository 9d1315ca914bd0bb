import { render } from 'preact'
import type { Album } from '../album'
import { Tray } from './Tray'
import { UploadList } from './UploadList'
import './tray.css'

const GATHERED = 1_000

/** Show the tray in an element, and give the list that it shows. */
export function start(album: Album, element: HTMLElement): UploadList {
  let due = 0
  // Photos often come many at once: the wall is asked for anew when some have come.
  const list = new UploadList(() => {
    if (due) return
    due = window.setTimeout(() => {
      due = 0
      void album.refresh()
    }, GATHERED)
  })
  render(<Tray list={list} />, element)
  return list
}
