import { setCover } from '../albums'
import type { IconName } from '../icons-later'
import { type Action, changeMany } from '../selection/actions'
import { texts } from '../texts-later'
import { type Direction, move } from './album-order'

/** Return what can be done with the selected photos of an album only. `moved` follows each move. */
export function actionsOf(album: number, moved: () => void): Action[] {
  const moveAction = (direction: Direction & IconName, label: string, key: string): Action => ({
    name: `move-${direction}`,
    label,
    icon: direction,
    key,
    isCompact: true,
    // A part of them would be moved past the rest.
    limit: Number.POSITIVE_INFINITY,
    run: async (ids, _value, list) => {
      try {
        const done = await move(album, ids, direction, list)
        return { done, missing: ids.filter((id) => !done.includes(id)) }
      } finally {
        moved()
      }
    },
    done: (count) => texts.moved(count),
    failed: (count) => texts.notMoved(count),
    keepsSelection: true,
  })
  return [
    {
      name: 'cover',
      label: texts.useAsCover,
      icon: 'cover',
      most: 1,
      run: async (ids) => {
        for (const id of ids) await setCover(album, id)
        return { done: ids, missing: [] }
      },
      done: () => texts.coverSet,
      failed: () => texts.coverNotSet,
      keepsSelection: true,
    },
    moveAction('first', texts.moveToBeginning, 'b'),
    moveAction('earlier', texts.moveEarlier, ','),
    moveAction('later', texts.moveLater, '.'),
    moveAction('last', texts.moveToEnd, 'e'),
    {
      name: 'remove-from-album',
      label: texts.removeFromAlbum,
      icon: 'remove',
      run: changeMany('DELETE', (ids) => `/albums/${album}/photos?ids=${ids}`),
      done: (count) => texts.removedFromAlbum(count),
      failed: (count) => texts.notRemovedFromAlbum(count),
    },
  ]
}
