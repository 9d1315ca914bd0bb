import { useEffect, useRef, useState } from 'preact/hooks'
import { Problem, session } from './api'
import { PhotoGrid } from './grid/grid'
import { Header, More } from './header'
import { later } from './later'
import type { Navigation } from './navigation'
import { useObservable } from './observable'
import type { PhotoList } from './photo-list'
import { texts } from './texts'
import { DropZone } from './uploads/drop-zone'
import type { Uploader } from './uploads/uploader'

const SignIn = later(async () => (await import('./sign-in')).SignIn)
const NoPhotos = later(async () => (await import('./no-photos')).NoPhotos)

interface Props {
  list: PhotoList
  navigation: Navigation
  uploader: Uploader
}

export function App({ list, navigation, uploader }: Props) {
  useObservable(list)
  const { view, query } = useObservable(navigation)
  const hasEnded = useObservable(session).hasEnded
  const [month, setMonth] = useState(0)
  useSelection(navigation)
  const onOpen = useRef((slot: number) => navigation.open(slot))
  if (hasEnded) return <SignIn />
  const { Bar, Mark } = navigation.selection ?? {}
  const { Body, Head, Empty = NoPhotos } = view
  return (
    <>
      <a class="skip" href="#photos" onClick={focusPhotos}>
        {texts.skip}
      </a>
      <Header list={list} navigation={navigation} month={month} uploader={uploader} />
      {list.failure && <Failure list={list} error={list.failure} />}
      {Bar && <Bar />}
      <main id="photos" tabIndex={-1} aria-label={view.title}>
        {Head && <Head list={list} />}
        {Body ? (
          <Body />
        ) : list.visibleCount > 0 ? (
          <>
            {!Head && <h1 class="visually-hidden">{view.title}</h1>}
            <PhotoGrid
              key={query}
              list={list}
              Mark={Mark}
              handle={navigation.grid}
              onOpen={onOpen.current}
              onMonth={setMonth}
            />
          </>
        ) : (
          list.isReady && <Empty />
        )}
      </main>
      <footer>
        <More navigation={navigation} />
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

function Failure({ list, error }: { list: PhotoList; error: Error }) {
  // The browser's word alone does not count: it may reach a server on its own machine.
  const isOffline = !(error instanceof Problem) && !navigator.onLine
  return (
    <p class="notice" role={isOffline ? 'status' : 'alert'}>
      <span>{isOffline ? texts.offline : `${texts.notLoaded} ${error.message}`}</span>
      <button type="button" class="secondary" onClick={() => void list.refresh()}>
        {texts.retry}
      </button>
    </p>
  )
}

/** Load the selection when a mouse, finger or key first comes to the photos. */
function useSelection(navigation: Navigation): void {
  useEffect(() => {
    const listening = new AbortController()
    const load = async (event: Event) => {
      const isKey = event.type === 'keydown'
      if (!isKey && !(event.target as HTMLElement).closest?.('.tile')) return
      listening.abort()
      let isOver = false
      const end = () => (isOver = true)
      for (const type of ['touchend', 'touchcancel']) addEventListener(type, end, { once: true })
      await navigation.loadSelection()
      if (!isOver) navigation.selection?.handle(event)
    }
    for (const type of ['mouseover', 'touchstart', 'keydown']) {
      const listener = (event: Event) => void load(event).catch(() => {})
      addEventListener(type, listener, { signal: listening.signal, passive: true })
    }
    return () => listening.abort()
  }, [navigation])
}
