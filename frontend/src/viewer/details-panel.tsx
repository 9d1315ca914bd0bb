import { useRef, useState } from 'preact/hooks'
import { downloadUrl, editPhoto, type Photo } from '../api-later'
import { bootstrap } from '../bootstrap'
import { reportGone } from '../changed'
import { Icon } from '../icons-later'
import { formatSize, formatTenths, formatTime, texts } from '../texts-later'
import { AlbumCover } from './album-cover'
import { DateEditor } from './date-editor'
import { Revoke } from './revoke'
import { Share } from './share'

interface Props {
  photo: Photo
  /** The album that it is shown in. */
  album: number | undefined
  onChange: (photo: Photo) => void
  /** Called instead of `onChange` if the date was changed: the photo has another slot. */
  onMove: (photo: Photo) => void
  onDelete: () => void
}

/** A photo's title, description and metadata, and the buttons to share and delete it. */
export function DetailsPanel({ photo, album, onChange, onMove, onDelete }: Props) {
  return (
    <section class="details-panel" aria-label={texts.details}>
      <Caption photo={photo} onChange={onChange} />
      <Metadata photo={photo} onMove={onMove} />
      <div class="panel-actions">
        <Share photo={photo} />
        <Revoke photo={photo} onChange={onChange} />
        {album !== undefined && <AlbumCover photo={photo} album={album} />}
        <a class="secondary" href={downloadUrl(photo.id)} download>
          <Icon name="download" />
          {texts.download}
        </a>
        <button type="button" class="secondary danger" onClick={onDelete}>
          <Icon name="delete" />
          {texts.delete}
        </button>
      </div>
    </section>
  )
}

/** The title and the description, edited in place. */
function Caption({ photo, onChange }: Pick<Props, 'photo' | 'onChange'>) {
  const [status, setStatus] = useState('')
  const save = async (field: 'title' | 'description', value: string) => {
    if (value === photo[field]) return
    try {
      onChange(await editPhoto(photo.id, { [field]: value }))
      setStatus(texts.saved)
    } catch (error) {
      reportGone(error)
      setStatus(`${texts.notSaved} ${(error as Error).message}`)
    }
  }
  return (
    <div class="caption">
      <Field
        label={texts.title}
        hint={texts.titleHint}
        value={photo.title}
        maxLength={bootstrap.maxTitle}
        onSave={(value) => save('title', value)}
      />
      <Field
        label={texts.description}
        hint={texts.descriptionHint}
        value={photo.description}
        maxLength={bootstrap.maxDescription}
        multiline
        onSave={(value) => save('description', value)}
      />
      <p class="status" role="status">
        {status}
      </p>
    </div>
  )
}

interface FieldProps {
  label: string
  hint: string
  value: string
  maxLength: number
  multiline?: boolean
  onSave: (value: string) => void
}

/** Return whether the keyboard is on the screen, which has no Shift and Enter. */
const hasNoShift = () => matchMedia('(pointer: coarse)').matches

function Field({ label, hint, value, maxLength, multiline, onSave }: FieldProps) {
  const isCancelled = useRef(false)
  const onKeyDown = (event: KeyboardEvent) => {
    const field = event.currentTarget as HTMLInputElement | HTMLTextAreaElement
    if (event.key === 'Escape') {
      field.value = value
      isCancelled.current = true
      field.blur()
    } else if (event.key === 'Enter' && !(multiline && (event.shiftKey || hasNoShift()))) {
      field.blur()
    } else {
      return
    }
    event.preventDefault()
    event.stopPropagation()
    field.closest<HTMLElement>('.pswp')?.focus()
  }
  const onBlur = (event: FocusEvent) => {
    const field = event.currentTarget as HTMLInputElement
    if (!isCancelled.current) onSave(field.value)
    isCancelled.current = false
  }
  const props = {
    class: multiline ? 'caption-description' : 'caption-title',
    'aria-label': label,
    placeholder: hint,
    defaultValue: value,
    maxLength,
    dir: 'auto' as const,
    onKeyDown,
    onBlur,
  }
  return multiline ? <textarea {...props} rows={3} /> : <input {...props} autocomplete="off" />
}

function Metadata({ photo, onMove }: Pick<Props, 'photo' | 'onMove'>) {
  const rows: [string, string | null | undefined][] = [
    [texts.cameraModel, photo.camera],
    [texts.dimensions, `${photo.width} × ${photo.height}, ${formatSize(photo.size)}`],
    [texts.duration, photo.duration === null ? null : texts.seconds(formatTenths(photo.duration))],
    [texts.file, photo.filename],
    [texts.place, photo.located ? texts.placeInOriginal : null],
    [texts.addedAt, formatTime(photo.created_at)],
  ]
  return (
    <dl>
      <DateEditor photo={photo} onChange={onMove} />
      {rows.map(([label, value]) =>
        value ? (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ) : null,
      )}
    </dl>
  )
}
