import { render } from 'preact'
import { currentPhoto } from '../address'
import { Icon } from '../icons-later'
import type { Navigation } from '../navigation'
import { ACTIONS } from '../selection/actions'
import { texts } from '../texts-later'
import { GRID, PAGE, SELECTED, SELECTING, type Shortcut, SLIDESHOW, VIEWER } from './shortcuts'
import './help.css'

type Section = [title: string, shortcuts: Shortcut[]]

const ARROWS: Record<string, string> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
}

/** Show the shortcuts of the place in which the user is. */
export function showHelp(navigation: Navigation): void {
  if (document.querySelector('dialog[open]')) return
  const dialog = document.createElement('dialog')
  dialog.className = 'help'
  // So that a click on a text keeps the focus, and with it the keys, in the dialog.
  dialog.tabIndex = -1
  dialog.setAttribute('aria-labelledby', 'help-title')
  const close = () => dialog.close()
  // What is below must not close, too.
  dialog.addEventListener('keydown', (event) => event.stopPropagation())
  dialog.addEventListener('click', ({ target }) => target === dialog && close())
  dialog.addEventListener('close', () => {
    render(null, dialog)
    dialog.remove()
    if (document.activeElement === document.body) document.getElementById('photos')?.focus()
  })
  render(<Help sections={sectionsOf(navigation)} close={close} />, dialog)
  document.body.append(dialog)
  dialog.showModal()
}

function sectionsOf({ view, selection }: Navigation): Section[] {
  const page: Section = [texts.everywhere, Object.values(PAGE)]
  if (currentPhoto()) {
    const viewer = Object.values(VIEWER).filter(
      (shortcut) => document.fullscreenEnabled || shortcut !== VIEWER.fullScreen,
    )
    return [
      [texts.viewer, viewer],
      [texts.slideshow, Object.values(SLIDESHOW)],
      [texts.everywhere, [PAGE.help]],
    ]
  }
  if (!view.source) return [page]
  const selecting: Section = [texts.selectingPhotos, Object.values(SELECTING)]
  if (!selection?.isOn) return [[texts.photos, Object.values(GRID)], selecting, page]
  const actions = (view.actions ?? ACTIONS).flatMap(({ key, label }) =>
    key ? [{ keys: [key], label }] : [],
  )
  const selected = [...Object.values(SELECTING), ...Object.values(SELECTED), ...actions]
  return [[texts.selection, selected], [texts.photos, Object.values(GRID)], page]
}

function Help({ sections, close }: { sections: Section[]; close: () => void }) {
  return (
    <div>
      <h2 id="help-title">{texts.keyboardShortcuts}</h2>
      <button
        type="button"
        class="icon-button"
        aria-label={texts.close}
        title={texts.close}
        onClick={close}
      >
        <Icon name="close" />
      </button>
      {sections.map(([title, shortcuts]) => (
        <section key={title} aria-label={title}>
          <h3>{title}</h3>
          <dl>
            {shortcuts.map((shortcut) => (
              <div key={shortcut.label}>
                <dt>{shortcut.label}</dt>
                <dd>
                  <Keys shortcut={shortcut} />
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  )
}

function Keys({ shortcut: { keys, ctrl, shift } }: { shortcut: Shortcut }) {
  const held = [ctrl && controlKey(), shift && texts.keyNames.Shift].filter(Boolean)
  return (
    <>
      {held.map((key) => (
        <span key={key}>
          <kbd>{key}</kbd>+
        </span>
      ))}
      {keys.map((key) => (
        <kbd key={key}>{nameOf(key)}</kbd>
      ))}
    </>
  )
}

const controlKey = () => (/Mac OS X/.test(navigator.userAgent) ? '⌘' : texts.keyNames.Control)

function nameOf(key: string): string {
  const names: Record<string, string> = { ...ARROWS, ...texts.keyNames }
  return names[key] ?? key.toUpperCase()
}
