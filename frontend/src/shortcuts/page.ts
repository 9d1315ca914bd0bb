import { currentPhoto } from '../address'
import type { Navigation } from '../navigation'
import { showHelp } from './help'
import { find, PAGE } from './shortcuts'

/** Run a shortcut that works wherever nothing is typed. */
export function pressed(event: KeyboardEvent, navigation: Navigation): void {
  const name = find(PAGE, event)
  if (name === 'help') showHelp(navigation)
  if (name !== 'search' || currentPhoto()) return
  const field = document.querySelector<HTMLElement>('[type=search]')
  if (field) field.focus()
  else navigation.goTo('?view=search')
}
