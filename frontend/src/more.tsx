import { viewUrl } from './address'
import { bootstrap } from './bootstrap'
import { Icon } from './icons-later'
import type { Navigation } from './navigation'
import { showHelp } from './shortcuts/help'
import { texts } from './texts-later'

const DEVICES = '?view=devices'

/** What is seldom needed: in the header where there is room, otherwise in the footer. */
export function More({ navigation }: { navigation: Navigation }) {
  return (
    <>
      <button
        type="button"
        class="secondary quiet shortcuts"
        title={texts.keyboardShortcuts}
        onClick={() => showHelp(navigation)}
      >
        <Icon name="keyboard" />
        <span>{texts.keyboardShortcuts}</span>
      </button>
      {bootstrap.signedIn && (
        <a
          class="secondary quiet"
          href={viewUrl(DEVICES)}
          title={texts.devices}
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return
            event.preventDefault()
            navigation.goTo(DEVICES)
          }}
        >
          <Icon name="devices" />
          <span>{texts.devices}</span>
        </a>
      )}
      {bootstrap.signedIn && (
        <form method="post" action={`${bootstrap.root}/sign-out`}>
          <button type="submit" class="secondary quiet">
            {texts.signOut}
          </button>
        </form>
      )}
    </>
  )
}
