/** The keyboard shortcuts: code that handles keys finds them here, and the help lists them. */

import { texts } from '../texts-later'

export interface Shortcut {
  /** Any of these, as `KeyboardEvent.key` names them; letters in lower case. */
  keys: readonly string[]
  label: string
  /** With Ctrl, or with Command on a Mac. */
  ctrl?: true
  shift?: true
}

/** Keep the names of shortcuts in their type, so that a handler for each can be required. */
const table = <Name extends string>(shortcuts: Record<Name, Shortcut>) => shortcuts

const { shortcuts: labels } = texts
const ARROWS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']

export const PAGE = table({
  search: { keys: ['/'], label: texts.searchPhotos },
  help: { keys: ['?'], label: labels.help },
})

export const GRID = table({
  move: { keys: ARROWS, label: labels.move },
  first: { keys: ['Home'], label: labels.first },
  last: { keys: ['End'], label: labels.last },
  open: { keys: ['Enter'], label: labels.open },
})

/** Those that select photos in the grid. */
export const SELECTING = table({
  toggle: { keys: ['x'], label: labels.toggle },
  extend: { keys: [...ARROWS, 'Home', 'End'], shift: true, label: labels.extend },
  all: { keys: ['a'], ctrl: true, label: labels.all },
})

/** Those while photos are selected; actions have keys of their own. */
export const SELECTED = table({
  actions: { keys: ['m'], label: labels.actions },
  end: { keys: ['Escape'], label: texts.endSelection },
})

export const VIEWER = table({
  previous: { keys: ['ArrowLeft'], label: texts.previous },
  next: { keys: ['ArrowRight'], label: texts.next },
  zoom: { keys: ['z'], label: texts.zoom },
  pan: { keys: ['ArrowUp', 'ArrowDown'], label: labels.pan },
  rotate: { keys: ['r'], label: texts.rotate },
  rotateLeft: { keys: ['r'], shift: true, label: texts.rotateLeft },
  slideshow: { keys: ['s'], label: texts.slideshow },
  fullScreen: { keys: ['f'], label: texts.fullScreen },
  delete: { keys: ['Delete'], label: texts.delete },
  close: { keys: ['Escape'], label: labels.close },
})

export const SLIDESHOW = table({
  pause: { keys: [' '], label: labels.pause },
  end: { keys: ['Escape'], label: labels.endSlideshow },
})

/** Return the name of the shortcut that a key event is. */
export function find<Name extends string>(
  shortcuts: Record<Name, Shortcut>,
  event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>,
): Name | undefined {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
  // Whether a sign such as ? needs Shift depends on the keyboard.
  const isSign = key.length === 1 && !/[a-z ]/.test(key)
  for (const name in shortcuts) {
    const { keys, ctrl, shift } = shortcuts[name]
    if (
      keys.includes(key) &&
      (event.ctrlKey || event.metaKey) === Boolean(ctrl) &&
      (isSign || event.shiftKey === Boolean(shift)) &&
      !event.altKey
    ) {
      return name
    }
  }
  return undefined
}
