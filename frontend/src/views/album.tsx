import type { ComponentType } from 'preact'
import { useState } from 'preact/hooks'
import { viewUrl } from '../address'
import { AlbumTitleForm } from '../album-title-form'
import { type Album, ALBUMS_QUERY, deleteAlbum, fetchAlbum, renameAlbum } from '../albums'
import { fetchPage, Problem } from '../api'
import { Confirmation } from '../confirmation'
import { goTo } from '../go-to'
import type { PhotoList } from '../photo-list'
import { pageTitle, photoCount, texts } from '../texts-later'
import { actionsOf } from './album-actions'
import type { View } from './views'

/** The photos of an album, in its order. */
export async function open(query: URLSearchParams): Promise<View> {
  const id = query.get('id') ?? ''
  let album: Album
  try {
    album = await fetchAlbum(encodeURIComponent(id))
  } catch (error) {
    if (!(error instanceof Problem && [404, 422].includes(error.status))) throw error
    return { title: texts.albums, parent: 'albums', Body: NoAlbum }
  }
  let moves = 0
  const view: View = {
    title: album.title,
    parent: 'albums',
    source: {
      album: album.id,
      sections: async () => {
        album = await fetchAlbum(String(album.id))
        view.title = album.title
        // A list whose order has changed has other sections: photos out of view are loaded again.
        const section = { month: '', count: album.photos, after: '', moves }
        return album.photos ? [section] : []
      },
      page: (position) => fetchPage(`album=${album.id}`, position),
    },
    Empty,
    ...actionsOf(album.id, () => moves++),
  }
  view.Head = headOf(() => album, view)
  return view
}

function headOf(current: () => Album, view: View): ComponentType<{ list: PhotoList }> {
  return function Head({ list }) {
    const [asking, setAsking] = useState<'rename' | 'delete'>()
    const [failure, setFailure] = useState('')
    const album = current()
    const rename = async (title: string) => {
      view.title = (await renameAlbum(album.id, title)).title
      document.title = pageTitle(view.title)
      await list.refresh()
      setAsking(undefined)
    }
    const remove = async () => {
      try {
        await deleteAlbum(album.id)
        goTo(ALBUMS_QUERY, 'replace')
      } catch (error) {
        setFailure((error as Error).message)
      }
    }
    return (
      <div class="album-head">
        <h1 dir="auto">{view.title}</h1>
        {album.description && <p dir="auto">{album.description}</p>}
        {list.isReady && <p class="muted">{photoCount(list.total)}</p>}
        {asking === 'rename' ? (
          <AlbumTitleForm
            title={view.title}
            answer={texts.save}
            isPrimary
            save={rename}
            cancel={() => setAsking(undefined)}
          />
        ) : (
          <div class="album-actions">
            {asking === undefined && (
              <button type="button" class="secondary" onClick={() => setAsking('rename')}>
                {texts.renameAlbum}
              </button>
            )}
            <Confirmation
              label={texts.deleteAlbumEllipsis}
              question={texts.deleteAlbumQuestion}
              answer={texts.deleteAlbum}
              isDangerous
              isOpen={asking === 'delete'}
              setOpen={(isOpen) => setAsking(isOpen ? 'delete' : undefined)}
              onConfirm={() => void remove()}
            />
          </div>
        )}
        {failure && <p role="alert">{failure}</p>}
      </div>
    )
  }
}

const Empty = () => (
  <div class="empty">
    <p>{texts.emptyAlbum}</p>
    <p class="muted">{texts.emptyAlbumHint}</p>
  </div>
)

const NoAlbum = () => (
  <div class="empty">
    <h1>{texts.noSuchAlbum}</h1>
    <p>
      <a href={viewUrl(ALBUMS_QUERY)}>{texts.albums}</a>
    </p>
  </div>
)
