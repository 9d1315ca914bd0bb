import type { Photo } from '../api'
import { Icon } from '../icons-later'
import { useObservable } from '../observable'
import { photoName, texts } from '../texts-later'
import type { Selection } from './selection'

export interface MarkProps {
  slot: number
  photo: Photo
  /** The place of the tile in its row. */
  x: number
  width: number
}

/** Return the component that shows whether the photo of a tile is selected. It follows the tile. */
export const markFor = (selection: Selection) =>
  function Mark({ slot, photo, x, width }: MarkProps) {
    useObservable(selection)
    const isSelected = selection.has(photo.id)
    const onClick = (event: MouseEvent) => {
      if (event.shiftKey && selection.hasAnchor) void selection.extendTo(slot)
      else selection.toggle(slot)
    }
    return (
      <>
        {/* With the keyboard, a photo is selected on its tile: a second stop each is too many. */}
        <button
          type="button"
          class="mark"
          tabIndex={-1}
          style={{ left: `${x}px` }}
          aria-pressed={isSelected}
          aria-label={texts.select(photoName(photo))}
          onClick={onClick}
        >
          <Icon name="done" />
        </button>
        {isSelected && (
          <span class="selected-tile" style={{ left: `${x}px`, width: `${width}px` }} />
        )}
      </>
    )
  }
