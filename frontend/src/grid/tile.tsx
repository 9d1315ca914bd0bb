import { useEffect, useRef } from 'preact/hooks'
import type { Photo } from '../api'
import { bootstrap } from '../bootstrap'
import { animationBadge, photoName } from '../texts'
import { averageColour, coverWidth, placeholder, srcset, tileSources } from './images'

interface Props {
  slot: number
  photo: Photo | undefined
  width: number
  height: number
  /** Whether it is on the first screen. */
  isFirst: boolean
  onOpen: (slot: number) => void
}

/** One photo of the grid; an empty box until it is loaded. */
export function Tile({ slot, photo, width, height, isFirst, onOpen }: Props) {
  const tile = useRef<HTMLAnchorElement>(null)
  useEffect(() => (photo ? showPlaceholderSoon(tile, photo) : undefined), [photo?.thumbhash])
  const size = { width: `${width}px`, height: `${height}px` }
  if (!photo) return <span class="tile" style={size} />
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    onOpen(slot)
  }
  return (
    <a
      ref={tile}
      class="tile"
      href={`${bootstrap.root}/photo/${photo.id}`}
      data-slot={slot}
      data-photo={photo.id}
      style={{ ...size, backgroundColor: averageColour(photo) }}
      onClick={open}
    >
      <img
        src={photo.photo_url}
        srcset={srcset(tileSources(photo))}
        sizes={`${Math.ceil(coverWidth(photo, width, height) * SIZE_FACTOR)}px`}
        width={photo.width}
        height={photo.height}
        alt={photoName(photo)}
        decoding="async"
        fetchpriority={isFirst ? 'high' : 'auto'}
      />
      {photo.animated && <span class="badge">{animationBadge(photo)}</span>}
    </a>
  )
}

const PLACEHOLDER_DELAY = 120
/** A slightly smaller rendition looks the same, and has a third of the next one's bytes. */
const SIZE_FACTOR = 0.85

/** Show the placeholder unless the photo loads at once. */
function showPlaceholderSoon(
  tile: { current: HTMLAnchorElement | null },
  photo: Photo,
): () => void {
  const timer = setTimeout(() => {
    const image = tile.current?.querySelector('img')
    const url = image && !image.complete ? placeholder(photo) : undefined
    if (url && tile.current) tile.current.style.backgroundImage = `url(${url})`
  }, PLACEHOLDER_DELAY)
  return () => clearTimeout(timer)
}
