import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { type Album, createAlbum, fetchAlbums, MAX_TITLE } from '../albums'
import { texts } from '../texts-later'
import type { FormProps } from './actions'

/** Asks for an album, or creates one. Submits its id. */
export function AlbumForm({ count, submit, cancel }: FormProps) {
  const [albums, setAlbums] = useState<Album[]>()
  const [chosen, setChosen] = useState('')
  const [failure, setFailure] = useState('')
  const form = useRef<HTMLFormElement>(null)
  const name = useId()
  useEffect(() => {
    const load = async () => {
      try {
        const found = await fetchAlbums()
        setAlbums(found)
        setChosen(String(found[0]?.id ?? ''))
      } catch (error) {
        setFailure(`${texts.albumsNotLoaded} ${(error as Error).message}`)
      }
    }
    void load()
  }, [])
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('select, input')?.focus()
  }, [albums])
  const onSubmit = async (event: SubmitEvent) => {
    event.preventDefault()
    const title = new FormData(event.currentTarget as HTMLFormElement).get(name) as string
    try {
      submit(chosen ? Number(chosen) : (await createAlbum(title)).id)
    } catch (error) {
      setFailure((error as Error).message)
    }
  }
  return (
    <form ref={form} class="selection-form" onSubmit={(event) => void onSubmit(event)}>
      <strong>{texts.addToAlbumQuestion(count)}</strong>
      {albums && albums.length > 0 && (
        <select
          aria-label={texts.album}
          value={chosen}
          onChange={(event) => setChosen(event.currentTarget.value)}
        >
          {albums.map(({ id, title }) => (
            <option key={id} value={String(id)}>
              {title}
            </option>
          ))}
          <option value="">{texts.newAlbum}</option>
        </select>
      )}
      {albums && !chosen && (
        <input
          name={name}
          aria-label={texts.newAlbumTitle}
          placeholder={texts.newAlbumTitle}
          maxLength={MAX_TITLE}
          autocomplete="off"
          required
          dir="auto"
        />
      )}
      {failure && <span role="alert">{failure}</span>}
      <button type="submit" class="primary" disabled={!albums}>
        {texts.add}
      </button>
      <button type="button" class="secondary" onClick={cancel}>
        {texts.cancel}
      </button>
    </form>
  )
}
