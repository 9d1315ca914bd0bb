import { useState } from 'preact/hooks'
import { fetchPhoto, type Photo, request } from '../api-later'
import { reportGone } from '../changed'
import { Confirmation } from '../confirmation'
import { texts } from '../texts-later'

interface Props {
  photo: Photo
  /** Called with the photo and its new links. */
  onChange: (photo: Photo) => void
}

/** Makes all links to a photo stop working. */
export function Revoke({ photo, onChange }: Props) {
  const [isConfirming, setConfirming] = useState(false)
  const [status, setStatus] = useState('')
  const revoke = async () => {
    setConfirming(false)
    try {
      await request(`/photos/${photo.id}/revoke-links`, { method: 'POST' })
      onChange(await fetchPhoto(photo.id))
      setStatus(texts.revoked)
    } catch (error) {
      reportGone(error)
      setStatus(`${texts.notRevoked} ${(error as Error).message}`)
    }
  }
  return (
    <>
      <Confirmation
        label={texts.revokeEllipsis}
        question={texts.revokeHint}
        answer={texts.revoke}
        isOpen={isConfirming}
        setOpen={setConfirming}
        onConfirm={() => void revoke()}
      />
      <p class="status" role="status">
        {status}
      </p>
    </>
  )
}
