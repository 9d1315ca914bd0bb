import { useState } from 'preact/hooks'
import { setCover } from '../albums'
import type { Photo } from '../api'
import { Icon } from '../icons-later'
import { texts } from '../texts-later'

/** Lets a photo of an album stand for the album. */
export function AlbumCover({ photo, album }: { photo: Photo; album: number }) {
  const [status, setStatus] = useState('')
  const use = async () => {
    try {
      await setCover(album, photo.id)
      setStatus(texts.coverSet)
    } catch (error) {
      setStatus(`${texts.coverNotSet} ${(error as Error).message}`)
    }
  }
  return (
    <>
      <button type="button" class="secondary" onClick={() => void use()}>
        <Icon name="cover" />
        {texts.useAsCover}
      </button>
      <p class="status" role="status">
        {status}
      </p>
    </>
  )
}
