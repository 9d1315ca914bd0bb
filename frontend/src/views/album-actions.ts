import { setCover } from '../albums'
import type { IconName } from '../icons-later'
import type { PhotoList } from '../photo-list'
import { type Action, ACTIONS, changeMany } from '../selection/actions'
import { texts } from '../texts-later'
import { type Direction, move, type Place } from './album-order'
import type { View } from './views'

/** Return what can be done with the photos of an album. `moved` follows each move. */
export function actionsOf(album: number, moved: () => void): Pick<View, 'actions' | 'place'> {
  const moving = {
    isCompact: true,
    // A part of them would be moved past the rest.
    limit: Number.POSITIVE_INFINITY,
    done: (count: number) => texts.moved(count),
    failed: (count: number) => texts.notMoved(count),
    keepsSelection: true,
  }
  const moveTo = async (ids: number[], to: Direction | Place, list: PhotoList) => {
    try {
      const done = await move(album, ids, to, list)
      return { done, missing: ids.filter((id) => !done.includes(id)) }
    } finally {
      moved()
    }
  }
  const moveAction = (direction: Direction & IconName, label: string, key: string): Action => ({
    ...moving,
    name: `move-${direction}`,
    label,
    icon: direction,
    key,
    run: (ids, _value, list) => moveTo(ids, direction, list),
  })
  const own: Action[] = [
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
  const place: Action = {
    ...moving,
    name: 'place',
    label: '',
    icon: 'later',
    run: (ids, place, list) => moveTo(ids, place as Place, list),
  }
  return { actions: [...own, ...ACTIONS], place }
}
