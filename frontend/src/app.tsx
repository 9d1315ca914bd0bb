import { useEffect, useRef, useState } from 'preact/hooks'
import type { Album } from './album'
import { session } from './api'
import type { Deletions } from './deletions'
import { PhotoGrid } from './grid/grid'
import { Header, SignOut } from './header'
import { bootstrap } from './bootstrap'
import type { Navigation } from './navigation'
import { useObservable } from './observable'
import { SignIn } from './sign-in'
import { texts } from './texts'
import { DropZone } from './uploads/drop-zone'
import type { Uploader } from './uploads/uploader'

interface Props {
  album: Album
  deletions: Deletions
  navigation: Navigation
  uploader: Uploader
}

export function App({ album, deletions, navigation, uploader }: Props) {
  useObservable(album)
  const hasEnded = useObservable(session).hasEnded
  const isOnline = useOnline(album)
  const [month, setMonth] = useState(0)
  useUndoKey(deletions)
  const onOpen = useRef((slot: number) => navigation.open(slot))
  if (hasEnded) return <SignIn />
  return (
    <>
      <a class="skip" href="#photos" onClick={focusPhotos}>
        {texts.skip}
      </a>
      <Header
        album={album}
        month={month}
        uploader={uploader}
        onJump={(month) => navigation.grid.current?.toMonth(month)}
      />
      {!isOnline && (
        <p class="notice" role="status">
          {texts.offline}
        </p>
      )}
      {isOnline && album.failure && (
        <p class="notice" role="alert">
          <span>
            {texts.notLoaded} {album.failure.message}
          </span>
          <button type="button" class="secondary" onClick={() => void album.refresh()}>
            {texts.retry}
          </button>
        </p>
      )}
      <main id="photos" tabIndex={-1} aria-label={texts.photos}>
        {album.visibleCount > 0 ? (
          <>
            <h1 class="visually-hidden">{texts.photos}</h1>
            <PhotoGrid
              album={album}
              handle={navigation.grid}
              onOpen={onOpen.current}
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
      <DropZone uploader={uploader} />
    </>
  )
}

/** Set no fragment: going back to one would take the focus from the photo. */
function focusPhotos(event: MouseEvent): void {
  event.preventDefault()
  document.getElementById('photos')?.focus()
}

function Empty() {
  return (
    <div class="empty">
      <svg viewBox="0 0 120 90" aria-hidden="true">
        <rect x="6" y="16" width="78" height="58" rx="5" transform="rotate(-5 45 45)" />
        <rect class="front" x="34" y="18" width="78" height="58" rx="5" />
        <circle class="sun" cx="93" cy="35" r="6" />
        <path d="M38 70l22-24 15 15 10-9 23 18" />
      </svg>
      <h1>{texts.emptyTitle}</h1>
      <p>{texts.emptyText}</p>
      <p class="muted">
        <a href={`${bootstrap.root}/simple-upload`}>{texts.simplePage}</a>
      </p>
    </div>
  )
}

/** Return whether there is a network. Refresh when it, or the page, comes back. */
function useOnline(album: Album): boolean {
  const [isOnline, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const onNetworkChange = () => {
      setOnline(navigator.onLine)
      if (navigator.onLine) void album.refresh()
    }
    const onVisible = () => {
      if (document.visibilityState === 'visible') album.refreshIfStale()
    }
    addEventListener('online', onNetworkChange)
    addEventListener('offline', onNetworkChange)
    addEventListener('focus', onVisible)
    document.addEventListener('visibilitychange', onVisible)
    return () => {
      removeEventListener('online', onNetworkChange)
      removeEventListener('offline', onNetworkChange)
      removeEventListener('focus', onVisible)
      document.removeEventListener('visibilitychange', onVisible)
    }
  }, [album])
  return isOnline
}

function useUndoKey(deletions: Deletions): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const isTyping = (event.target as HTMLElement).closest?.('input, textarea')
      if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || isTyping) return
      if (deletions.undo()) event.preventDefault()
    }
    addEventListener('keydown', onKeyDown)
    return () => removeEventListener('keydown', onKeyDown)
  }, [deletions])
}
