import type { Photo } from '../api'
import { house } from '../house'
import { name } from '../texts'
import { sketch, srcset } from './picture'

interface Props {
  slot: number
  photo: Photo | undefined
  width: number
  height: number
  /** Whether it belongs to what is seen first. */
  first: boolean
  onOpen: (slot: number) => void
}

export function Cell({ slot, photo, width, height, first, onOpen }: Props) {
  const size = { width: `${width}px`, height: `${height}px` }
  if (!photo) return <span class="cell" style={size} />
  const drawn = sketch(photo)
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    onOpen(slot)
  }
  return (
    <a
      class="cell"
      href={`${house.root}/photo/${photo.id}`}
      data-slot={slot}
      data-photo={photo.id}
      style={drawn ? { ...size, backgroundImage: `url(${drawn})` } : size}
      onClick={open}
    >
      <img
        src={photo.photo_url}
        srcset={srcset(photo)}
        sizes={`${Math.ceil(width)}px`}
        width={photo.width}
        height={photo.height}
        alt={name(photo)}
        decoding="async"
        fetchpriority={first ? 'high' : 'auto'}
      />
      {photo.animated && <span class="badge">GIF</span>}
    </a>
  )
}
