import { useState } from 'preact/hooks'
import { editPhoto, type Photo } from '../api-later'
import { reportGone } from '../changed'
import { formatOffset, formatTaken, offsetOf, texts } from '../texts-later'

interface Props {
  photo: Photo
  onChange: (photo: Photo) => void
}

/** When a photo was taken, and a form to correct that. */
export function DateEditor({ photo, onChange }: Props) {
  const [isOpen, setOpen] = useState(false)
  const [status, setStatus] = useState('')
  const save = async (takenAt: string | null) => {
    setStatus('')
    try {
      onChange(await editPhoto(photo.id, { taken_at: takenAt }))
      setStatus(texts.saved)
      setOpen(false)
    } catch (error) {
      reportGone(error)
      setStatus(`${texts.notSaved} ${(error as Error).message}`)
    }
  }
  const open = () => {
    setStatus('')
    setOpen(true)
  }
  const offset = offsetOf(photo.taken_at)
  const source = photo.taken_from && texts.dateSources[photo.taken_from]
  return (
    <div class="date">
      <dt>{texts.takenAt}</dt>
      <dd>
        {isOpen ? (
          <DateForm photo={photo} onSave={save} onCancel={() => setOpen(false)} />
        ) : (
          <>
            <span>
              {photo.taken_at ? formatTaken(photo.taken_at) : texts.unknownDate}
              {offset && <span class="offset"> {formatOffset(offset)}</span>}
            </span>
            <button type="button" class="link" onClick={open}>
              {texts.changeDate}
            </button>
            {source && <small>{source}</small>}
          </>
        )}
        <p class="status" role="status">
          {status}
        </p>
      </dd>
    </div>
  )
}

interface FormProps {
  photo: Photo
  onSave: (takenAt: string | null) => Promise<void>
  onCancel: () => void
}

function DateForm({ photo, onSave, onCancel }: FormProps) {
  const [isSaving, setSaving] = useState(false)
  const offset = offsetOf(photo.taken_at)
  const save = async (takenAt: string | null) => {
    setSaving(true)
    await onSave(takenAt)
    setSaving(false)
  }
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault()
    const { value } = (event.currentTarget as HTMLFormElement).elements.namedItem(
      'taken-at',
    ) as HTMLInputElement
    void save(value + offset)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return
    event.preventDefault()
    event.stopPropagation()
    onCancel()
  }
  return (
    <form class="date-form" onSubmit={onSubmit} onKeyDown={onKeyDown}>
      <input
        type="datetime-local"
        name="taken-at"
        aria-label={texts.takenAt}
        step="1"
        min="1800-01-01T00:00"
        required
        autofocus
        defaultValue={photo.taken_at?.slice(0, 19) ?? ''}
        {...(offset ? { 'aria-describedby': 'taken-offset' } : {})}
      />
      {offset && <small id="taken-offset">{texts.keepsOffset(formatOffset(offset))}</small>}
      <button type="submit" class="primary" disabled={isSaving}>
        {texts.save}
      </button>
      <button type="button" class="secondary" onClick={onCancel}>
        {texts.cancel}
      </button>
      {photo.taken_from === 'user' && (
        <button
          type="button"
          class="secondary wide"
          disabled={isSaving}
          onClick={() => void save(null)}
        >
          {texts.restoreDate}
        </button>
      )}
    </form>
  )
}
