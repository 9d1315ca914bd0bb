import { useEffect, useRef, useState } from 'preact/hooks'
import type { Album } from './album'
import { session } from './api'
import type { Deletions } from './deletions'
import { Header, SignOut } from './Header'
import { house } from './house'
import type { Navigation } from './navigation'
import { SignIn } from './SignIn'
import { texts } from './texts'
import { useTopic } from './topic'
import { DropZone } from './uploads/DropZone'
import type { Inbox } from './uploads/inbox'
import { Wall } from './wall/Wall'

interface Props {
  album: Album
  deletions: Deletions
  navigation: Navigation
  inbox: Inbox
}

/** The whole page. */
export function App({ album, deletions, navigation, inbox }: Props) {
  useTopic(album)
  const over = useTopic(session).over
  const online = useOnline(album)
  const [month, setMonth] = useState(0)
  useUndoKey(deletions)
  const opening = useRef((slot: number) => navigation.open(slot))
  if (over) return <SignIn />
  return (
    <>
      <a class="skip" href="#photos" onClick={skip}>
        {texts.skip}
      </a>
      <Header
        album={album}
        month={month}
        inbox={inbox}
        onJump={(to) => navigation.wall.current?.toMonth(to)}
      />
      {!online && (
        <p class="notice" role="status">
          {texts.offline}
        </p>
      )}
      {online && album.failure && (
        <p class="notice" role="alert">
          <span>
            {texts.failed} {album.failure.message}
          </span>
          <button type="button" class="plain" onClick={() => void album.refresh()}>
            {texts.retry}
          </button>
        </p>
      )}
      <main id="photos" tabIndex={-1} aria-label={texts.photos}>
        {album.shown > 0 ? (
          <>
            <h1 class="unseen">{texts.photos}</h1>
            <Wall
              album={album}
              handle={navigation.wall}
              onOpen={opening.current}
              onMonth={setMonth}
            />
          </>
        ) : (
          <Empty />
        )}
      </main>
      <footer>
        <SignOut />
      </footer>
      <DropZone inbox={inbox} />
    </>
  )
}

/** Without a fragment in the address: going back to one would take the focus from the photo. */
function skip(event: MouseEvent): void {
  event.preventDefault()
  document.getElementById('photos')?.focus()
}

function Empty() {
  return (
    <div class="empty">
      <svg viewBox="0 0 120 90" aria-hidden="true">
        <rect x="6" y="16" width="78" height="58" rx="5" transform="rotate(-5 45 45)" />
        <rect class="front" x="34" y="18" width="78" height="58" rx="5" />
        <circle class="lamp" cx="93" cy="35" r="6" />
        <path d="M38 70l22-24 15 15 10-9 23 18" />
      </svg>
      <h1>{texts.emptyTitle}</h1>
      <p>{texts.emptyText}</p>
      <p class="soft">
        <a href={`${house.root}/simple-upload`}>{texts.plainForm}</a>
      </p>
    </div>
  )
}

/** Whether there is a network; when it's back, or the page is, what has changed is asked for. */
function useOnline(album: Album): boolean {
  const [online, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const changed = () => {
      setOnline(navigator.onLine)
      if (navigator.onLine) void album.refresh()
    }
    const seen = () => {
      if (document.visibilityState === 'visible') album.lookAgain()
    }
    addEventListener('online', changed)
    addEventListener('offline', changed)
    addEventListener('focus', seen)
    document.addEventListener('visibilitychange', seen)
    return () => {
      removeEventListener('online', changed)
      removeEventListener('offline', changed)
      removeEventListener('focus', seen)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [album])
  return online
}

function useUndoKey(deletions: Deletions): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest?.('input, textarea')
      if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || typing) return
      if (deletions.undo()) event.preventDefault()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [deletions])
}
