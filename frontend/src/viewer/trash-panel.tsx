import { useState } from 'preact/hooks'
import { type Photo, Problem, request } from '../api'
import { Confirmation } from '../confirmation'
import { formatDay, photoName, texts } from '../texts-later'

interface Props {
  photo: Photo
  /** Called when the photo is no longer in the trash. */
  onGone: () => void
}

/** The details of a photo in the trash, and the buttons to restore it or delete it for good. */
export function TrashPanel({ photo, onGone }: Props) {
  const [isConfirming, setConfirming] = useState(false)
  const [status, setStatus] = useState('')
  const send = async (path: string, method: string) => {
    try {
      await request(path, { method })
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) {
        setStatus((error as Error).message)
        return
      }
    }
    onGone()
  }
  return (
    <section class="details-panel" aria-label={texts.details}>
      <p>{photoName(photo)}</p>
      {photo.deletes_at && <p>{texts.deletedForGoodOn(formatDay(photo.deletes_at))}</p>}
      {photo.revoking && <p>{texts.revokingHint}</p>}
      <div class="panel-actions">
        <button
          type="button"
          class="primary"
          onClick={() => void send(`/photos/${photo.id}/restore`, 'POST')}
        >
          {texts.restore}
        </button>
        <Confirmation
          label={texts.deleteForGoodEllipsis}
          question={texts.cannotBeUndone}
          answer={texts.deleteForGood}
          isDangerous
          isOpen={isConfirming}
          setOpen={setConfirming}
          onConfirm={() => void send(`/photos/${photo.id}?permanent=true`, 'DELETE')}
        />
      </div>
      <p class="status" role="status">
        {status}
      </p>
    </section>
  )
}
