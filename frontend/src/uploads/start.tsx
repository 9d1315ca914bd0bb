import { render } from 'preact'
import type { Photo } from '../api'
import type { Navigation } from '../navigation'
import { readEntries } from './dropped-files'
import { isNoImage } from './file-types'
import { remember } from './interrupted'
import { UploadList } from './upload-list'
import { UploadPanel } from './upload-panel'
import type { Chosen } from './uploader'
import './upload-panel.css'

const REFRESH_DELAY = 1_000
/** Photos that are older, in milliseconds, are not among the first of all photos. */
const OLD = 7 * 86_400_000

/** Render the upload panel into an element, and return its list. */
export function start(navigation: Navigation, element: HTMLElement): UploadList {
  let timer = 0
  // Photos arrive in bursts: one refresh shows several.
  const list = new UploadList(({ id }) => {
    if (navigation.list.hidden.has(id)) void navigation.loadDeletions().then((all) => all.keep(id))
    if (timer) return
    timer = window.setTimeout(() => {
      timer = 0
      void navigation.list.refresh()
    }, REFRESH_DELAY)
  })
  addEventListener('pagehide', () => remember(list.unfinished))
  const showRecent = () => {
    list.clear()
    navigation.goTo('?view=recent')
  }
  render(<UploadPanel list={list} isOld={isOld} showRecent={showRecent} />, element)
  return list
}

const isOld = ({ taken_at, created_at }: Photo): boolean =>
  Date.parse(created_at) - Date.parse(taken_at ?? created_at) > OLD

/** Upload what is an image by its type or name, or has neither; count the other files. */
export async function addTo(list: UploadList, chosen: Chosen): Promise<void> {
  if (chosen[0] instanceof File) {
    const files = (chosen as File[]).filter((file) => !isNoImage(file))
    list.add(files, chosen.length - files.length)
  } else {
    const { files, leftOut } = await readEntries(chosen as FileSystemEntry[])
    list.add(files, leftOut)
  }
}
