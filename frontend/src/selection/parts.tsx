import type { ComponentType } from 'preact'
import type { Navigation } from '../navigation'
import { ACTIONS } from './actions'
import { SelectionBar } from './bar'
import { PhotoDrag } from './drag'
import { SelectionInput } from './input'
import { type MarkProps, markFor } from './mark'
import { Runner } from './runner'
import { Selection } from './selection'
import './selection.css'

/** What the page needs of the selection, whose code is loaded on first use. */
export interface SelectionParts {
  Mark: ComponentType<MarkProps>
  Bar: ComponentType
  /** Whether photos are selected. */
  readonly isOn: boolean
  clear: () => void
  /** Handle the event that has loaded the code. */
  handle: (event: Event) => void
}

export function start(navigation: Navigation): SelectionParts {
  const selection = new Selection(navigation.list)
  const runner = new Runner(selection, navigation.toasts)
  const input = new SelectionInput(selection)
  new PhotoDrag(runner, () => navigation.view)
  return {
    Mark: markFor(selection),
    Bar: () => (
      <SelectionBar
        selection={selection}
        runner={runner}
        actions={navigation.view.actions ?? ACTIONS}
      />
    ),
    get isOn() {
      return selection.isOn
    },
    clear: () => selection.clear(),
    handle: (event) => {
      if (event instanceof KeyboardEvent) input.keyPressed(event)
      else if (event.type === 'touchstart') input.touched(event as TouchEvent)
    },
  }
}
