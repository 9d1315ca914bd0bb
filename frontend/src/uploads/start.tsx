import { render } from 'preact'
import type { PhotoList } from '../photo-list'
import { UploadList } from './upload-list'
import { UploadPanel } from './upload-panel'
import './upload-panel.css'

const REFRESH_DELAY = 1_000

/** Render the upload panel into an element, and return its list. */
export function start(photos: PhotoList, element: HTMLElement): UploadList {
  let timer = 0
  // Photos arrive in bursts: one refresh shows several.
  const list = new UploadList(() => {
    if (timer) return
    timer = window.setTimeout(() => {
      timer = 0
      void photos.refresh()
    }, REFRESH_DELAY)
  })
  render(<UploadPanel list={list} />, element)
  return list
}
