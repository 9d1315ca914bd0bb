import { useEffect, useRef } from 'preact/hooks'
import { photoUrl } from '../address'
import type { Photo } from '../api'
import { animationBadge, daysLeft, photoName } from '../texts'
import { averageColour, coverWidth, srcset, tileSources } from './images'

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
  // The keys can move the focus faster than photos load.
  if (!photo) return <span class="tile" data-slot={slot} tabIndex={-1} style={size} />
  const open = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    onOpen(slot)
  }
  return (
    <a
      ref={tile}
      class="tile"
      href={photoUrl(photo.id)}
      data-slot={slot}
      data-photo={photo.id}
      style={{ ...size, backgroundColor: averageColour(photo) }}
      onClick={open}
    >
      <img
        key={photo.turn}
        src={photo.photo_url}
        srcset={srcset(tileSources(photo))}
        sizes={`${Math.ceil(coverWidth(photo, width, height) * SIZE_FACTOR)}px`}
        width={photo.width}
        height={photo.height}
        alt={photoName(photo)}
        decoding="async"
        fetchpriority={isFirst ? 'high' : 'auto'}
      />
      {(photo.deletes_at ?? photo.animated) && (
        <span class="badge">
          {photo.deletes_at ? daysLeft(photo.deletes_at) : animationBadge(photo)}
        </span>
      )}
    </a>
  )
}

const PLACEHOLDER_DELAY = 120
/** A slightly smaller rendition looks the same, and has a third of the next one's bytes. */
const SIZE_FACTOR = 0.85

/** Show the placeholder unless the photo loads at once. Its code is not part of the first screen. */
function showPlaceholderSoon(
  tile: { current: HTMLAnchorElement | null },
  photo: Photo,
): () => void {
  const isLoading = () => tile.current?.querySelector('img')?.complete === false
  const show = async () => {
    if (!isLoading()) return
    const { placeholder } = await import('./placeholder')
    const url = isLoading() ? placeholder(photo) : undefined
    if (url && tile.current) tile.current.style.backgroundImage = `url(${url})`
  }
  // Without it, the average colour stays.
  const timer = setTimeout(() => void show().catch(() => {}), PLACEHOLDER_DELAY)
  return () => clearTimeout(timer)
}
