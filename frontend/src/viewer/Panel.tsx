import { useRef, useState } from 'preact/hooks'
import { downloadAddress, edit, type Photo } from '../api'
import { house } from '../house'
import { Icon } from '../icons'
import { bytes, moment, taken, texts } from '../texts'
import { Share } from './Share'

interface Props {
  photo: Photo
  onChange: (photo: Photo) => void
  onDelete: () => void
}

/** What is known of a photo, and what can be done with it. */
export function Panel({ photo, onChange, onDelete }: Props) {
  return (
    <section class="panel" aria-label={texts.details}>
      <Words photo={photo} onChange={onChange} />
      <Facts photo={photo} />
      <div class="deeds">
        <Share photo={photo} />
        <a class="plain" href={downloadAddress(photo.id)} download>
          <Icon name="download" />
          {texts.download}
        </a>
        <button type="button" class="plain danger" onClick={onDelete}>
          <Icon name="bin" />
          {texts.delete}
        </button>
      </div>
    </section>
  )
}

/** Title and description, which are edited where they stand. */
function Words({ photo, onChange }: Pick<Props, 'photo' | 'onChange'>) {
  const [state, setState] = useState('')
  const save = async (field: 'title' | 'description', value: string) => {
    if (value === photo[field]) return
    try {
      onChange(await edit(photo.id, { [field]: value }))
      setState(texts.saved)
    } catch (error) {
      setState(`${texts.notSaved} ${(error as Error).message}`)
    }
  }
  return (
    <div class="words">
      <Field
        label={texts.title}
        hint={texts.titleHint}
        value={photo.title}
        max={house.maxTitle}
        onSave={(value) => save('title', value)}
      />
      <Field
        label={texts.description}
        hint={texts.descriptionHint}
        value={photo.description}
        max={house.maxDescription}
        long
        onSave={(value) => save('description', value)}
      />
      <p class="state" role="status">
        {state}
      </p>
    </div>
  )
}

interface FieldProps {
  label: string
  hint: string
  value: string
  max: number
  long?: boolean
  onSave: (value: string) => void
}

function Field({ label, hint, value, max, long, onSave }: FieldProps) {
  const cancelled = useRef(false)
  const pressed = (event: KeyboardEvent) => {
    const field = event.currentTarget as HTMLInputElement | HTMLTextAreaElement
    if (event.key === 'Escape') {
      field.value = value
      cancelled.current = true
      field.blur()
    } else if (event.key === 'Enter' && !(long && event.shiftKey)) {
      field.blur()
    } else {
      return
    }
    event.preventDefault()
    event.stopPropagation()
    field.closest<HTMLElement>('.pswp')?.focus()
  }
  const left = (event: FocusEvent) => {
    const field = event.currentTarget as HTMLInputElement
    if (!cancelled.current) onSave(field.value)
    cancelled.current = false
  }
  const shared = {
    class: long ? 'words-long' : 'words-short',
    'aria-label': label,
    placeholder: hint,
    defaultValue: value,
    maxLength: max,
    dir: 'auto' as const,
    onKeyDown: pressed,
    onBlur: left,
  }
  return long ? <textarea {...shared} rows={3} /> : <input {...shared} autocomplete="off" />
}

function Facts({ photo }: { photo: Photo }) {
  const facts: [string, string | null | undefined][] = [
    [texts.takenAt, photo.taken_at && taken(photo.taken_at)],
    [texts.cameraModel, photo.camera],
    [texts.dimensions, `${photo.width} × ${photo.height}, ${bytes(photo.size)}`],
    [texts.duration, photo.duration === null ? null : texts.seconds(photo.duration)],
    [texts.file, photo.filename],
    [texts.addedAt, moment(photo.created_at)],
  ]
  return (
    <dl>
      {facts.map(([label, value]) =>
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
