import { useEffect, useRef, useState } from 'preact/hooks'
import { AlbumTitleForm } from '../album-title-form'
import { type Album, createAlbum, fetchAlbums } from '../albums'
import { texts } from '../texts-later'
import type { FormProps } from './actions'

/** Asks for an album, or creates one. Submits its id. */
export function AlbumForm({ count, submit, cancel }: FormProps) {
  const [albums, setAlbums] = useState<Album[]>()
  const [chosen, setChosen] = useState('')
  const [failure, setFailure] = useState('')
  const question = useRef<HTMLElement>(null)
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
    question.current?.closest('form')?.querySelector<HTMLElement>('select, input')?.focus()
  }, [albums])
  return (
    <AlbumTitleForm
      class="selection-form"
      answer={texts.add}
      isPrimary
      hasNoTitle={!albums || chosen !== ''}
      isDisabled={!albums}
      save={async (title) => submit(chosen ? Number(chosen) : (await createAlbum(title)).id)}
      cancel={cancel}
    >
      <strong ref={question}>{texts.addToAlbumQuestion(count)}</strong>
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
      {failure && <span role="alert">{failure}</span>}
    </AlbumTitleForm>
  )
}
