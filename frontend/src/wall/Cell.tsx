import { useEffect, useRef } from 'preact/hooks'
import type { Photo } from '../api'
import { house } from '../house'
import { name } from '../texts'
import { colour, sketch, srcset } from './picture'

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
  const cell = useRef<HTMLAnchorElement>(null)
  useEffect(() => (photo ? sketchLater(cell, photo) : undefined), [photo?.thumbhash])
  const size = { width: `${width}px`, height: `${height}px` }
  if (!photo) return <span class="cell" style={size} />
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    onOpen(slot)
  }
  return (
    <a
      ref={cell}
      class="cell"
      href={`${house.root}/photo/${photo.id}`}
      data-slot={slot}
      data-photo={photo.id}
      style={{ ...size, backgroundColor: colour(photo) }}
      onClick={open}
    >
      <img
        src={photo.photo_url}
        srcset={srcset(photo)}
        sizes={`${Math.ceil(width * ENOUGH)}px`}
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

const SOON = 120
/** A rendition that is a little too small is not told from the next, which weighs thrice as much. */
const ENOUGH = 0.85

/** Draw the sketch when there is time, unless the photo was quicker. */
function sketchLater(cell: { current: HTMLAnchorElement | null }, photo: Photo): () => void {
  const timer = setTimeout(() => {
    const image = cell.current?.querySelector('img')
    const drawn = image && !image.complete ? sketch(photo) : undefined
    if (drawn && cell.current) cell.current.style.backgroundImage = `url(${drawn})`
  }, SOON)
  return () => clearTimeout(timer)
}
