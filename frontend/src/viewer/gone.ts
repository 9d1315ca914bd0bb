/** What to do about a photo that others have deleted, and about links that have died. */

import type PhotoSwipe from 'photoswipe'
import { fetchPhoto, type Photo, Problem } from '../api-later'
import type { PhotoList } from '../photo-list'
import { Renewal } from '../renewal'
import { photoName, texts } from '../texts-later'
import type { Toasts } from '../toasts'

/** Say why a photo is not in the list any more. */
export async function sayWhere(photo: Photo, toasts: Toasts): Promise<void> {
  try {
    await fetchPhoto(photo.id)
    toasts.show(texts.leftView(photoName(photo)))
  } catch (error) {
    const isGone = error instanceof Problem && error.status === 404
    if (isGone) toasts.show(texts.deletedElsewhere(photoName(photo)))
  }
}

interface Slides {
  photoAt: (index: number) => Photo | undefined
  indexOf: (slot: number) => number
}

/** Renew the links of a photo whose image could not be loaded. */
export function renewLinks(pswp: PhotoSwipe, list: PhotoList, slides: Slides): void {
  const renewal = new Renewal(() => list.refresh())
  let isOpen = true
  pswp.on('destroy', () => (isOpen = false))
  pswp.on('loadError', ({ content }) => {
    const id = slides.photoAt(content.index)?.id
    renewal.failed(id, () => {
      const slot = isOpen && id !== undefined ? list.slotOf(id) : undefined
      if (slot !== undefined) pswp.refreshSlideContent(slides.indexOf(slot))
    })
  })
  pswp.on('loadComplete', ({ content, isError }) => {
    if (!isError) renewal.loaded(slides.photoAt(content.index)?.id)
  })
}
