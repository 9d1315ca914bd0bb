import { useEffect, useRef } from 'preact/hooks'
import { fetchPage, type Month, request } from '../api'
import { bootstrap } from '../bootstrap'
import { useObservable } from '../observable'
import type { PhotoList } from '../photo-list'
import { texts } from '../texts-later'
import type { View } from './views'
import './search.css'

/** How long a pause in typing starts the search, in milliseconds. */
const PAUSE = 300
const MAX_LENGTH = 200

/** The photos that a search finds, the last taken first. */
export function open(parameters: URLSearchParams): View {
  const typed = parameters.get('q') ?? ''
  const query = `order=taken&q=${encodeURIComponent(typed)}`
  return {
    title: typed ? texts.foundFor(typed) : texts.search,
    source: {
      order: 'taken',
      sections: async () => (await (await request(`/photos/months?${query}`)).json()) as Month[],
      page: (position) => fetchPage(query, position),
    },
    Head: SearchField,
    Empty: typed ? NothingFound : SearchHint,
  }
}

const currentSearch = (): string => new URLSearchParams(location.search).get('q') ?? ''

/** Show the result. Typing replaces the entry of the history, so that Back leaves the search. */
function search(typed: string): void {
  const query = typed.trim() ? `?q=${encodeURIComponent(typed.trim())}` : '?view=search'
  if (query === location.search) return
  history.replaceState(null, '', `${bootstrap.root}/${query}`)
  dispatchEvent(new PopStateEvent('popstate'))
}

function SearchField({ list }: { list: PhotoList }) {
  useObservable(list)
  const field = useRef<HTMLInputElement>(null)
  const timer = useRef(0)
  const found = currentSearch()
  useEffect(() => {
    // The address has changed otherwise, as by Back; but not while a search is being typed.
    if (field.current && !timer.current && field.current.value.trim() !== found) {
      field.current.value = found
    }
  }, [found])
  useEffect(() => {
    if (!found) field.current?.focus()
    return () => clearTimeout(timer.current)
  }, [])
  const run = () => {
    clearTimeout(timer.current)
    timer.current = 0
    if (field.current) search(field.current.value)
  }
  const onInput = () => {
    clearTimeout(timer.current)
    timer.current = window.setTimeout(run, PAUSE)
  }
  return (
    <search class="search">
      <h1 class="visually-hidden">{texts.search}</h1>
      <input
        ref={field}
        type="search"
        aria-label={texts.searchPhotos}
        placeholder={texts.searchPhotos}
        defaultValue={found}
        maxLength={MAX_LENGTH}
        autocomplete="off"
        enterkeyhint="search"
        onInput={onInput}
        onKeyDown={(event) => event.key === 'Enter' && run()}
      />
      <p role="status">{found && list.isReady ? texts.found(list.visibleCount) : ''}</p>
    </search>
  )
}

const NothingFound = () => (
  <div class="empty">
    <p>{texts.nothingFound}</p>
    <p class="muted">{texts.searchHint}</p>
  </div>
)

const SearchHint = () => (
  <div class="empty">
    <p class="muted">{texts.searchHint}</p>
  </div>
)
