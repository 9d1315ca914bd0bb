import { useEffect, useState } from 'preact/hooks'
import { viewUrl } from '../address'
import { AlbumTitleForm } from '../album-title-form'
import { type Album, albumQuery, createAlbum, fetchAlbums, knownAlbums } from '../albums'
import { CHANGED } from '../changed'
import { goTo } from '../go-to'
import { srcset, tileSources } from '../grid/images'
import { photoCount, texts } from '../texts-later'
import type { View } from './views'

/** All albums, the newest first. */
export const open = (): View => ({ title: texts.albums, Body: Albums })

function Albums() {
  const [albums, setAlbums] = useState(knownAlbums)
  const [failure, setFailure] = useState('')
  const load = async () => {
    try {
      setAlbums(await fetchAlbums())
      setFailure('')
    } catch (error) {
      setFailure(`${texts.albumsNotLoaded} ${(error as Error).message}`)
    }
  }
  useEffect(() => {
    void load()
    const onChange = () => void load()
    addEventListener(CHANGED, onChange)
    return () => removeEventListener(CHANGED, onChange)
  }, [])
  return (
    <div class="albums">
      <h1>{texts.albums}</h1>
      <NewAlbum />
      {failure && (
        <p role="alert">
          {failure}{' '}
          <button type="button" class="secondary" onClick={() => void load()}>
            {texts.retry}
          </button>
        </p>
      )}
      {albums?.length === 0 && <p class="muted">{texts.noAlbums}</p>}
      <ul>
        {albums?.map((album) => (
          <li key={album.id}>
            <AlbumLink album={album} />
          </li>
        ))}
      </ul>
    </div>
  )
}

function AlbumLink({ album }: { album: Album }) {
  const query = albumQuery(album.id)
  const { cover } = album
  const onClick = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    goTo(query)
  }
  return (
    <a href={viewUrl(query)} onClick={onClick}>
      <span class="cover">
        {cover && (
          <img
            src={cover.photo_url}
            srcset={srcset(tileSources(cover))}
            sizes="260px"
            alt=""
            loading="lazy"
            decoding="async"
          />
        )}
      </span>
      <strong dir="auto">{album.title}</strong>
      <span class="muted">{photoCount(album.photos)}</span>
    </a>
  )
}

const NewAlbum = () => (
  <AlbumTitleForm
    answer={texts.createAlbum}
    save={async (title) => goTo(albumQuery((await createAlbum(title)).id))}
  />
)
