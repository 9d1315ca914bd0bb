import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { MAX_TITLE } from './albums'
import { texts } from './texts-later'
import './views/albums.css'

interface Props {
  class?: string
  /** The title of the album that is renamed; without one, the form asks for that of a new one. */
  title?: string
  /** The text of the button that sends the form. */
  answer: string
  isPrimary?: boolean
  /** Whether the form asks for no title, as when an album was chosen. */
  hasNoTitle?: boolean
  isDisabled?: boolean
  /** Save the title. The form shows the message of an error. */
  save: (title: string) => Promise<void>
  cancel?: () => void
  /** What comes before the title. */
  children?: ComponentChildren
}

/** A form that asks for the title of an album. */
export function AlbumTitleForm(props: Props) {
  const { title, answer, isPrimary, hasNoTitle, isDisabled, save, cancel, children } = props
  const [failure, setFailure] = useState('')
  const field = useRef<HTMLInputElement>(null)
  const label = title === undefined ? texts.newAlbumTitle : texts.albumTitle
  useEffect(() => {
    if (title !== undefined) field.current?.select()
  }, [])
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    try {
      await save(field.current?.value ?? '')
    } catch (error) {
      setFailure((error as Error).message)
    }
  }
  return (
    <form class={props.class ?? 'album-form'} onSubmit={(event) => void submit(event)}>
      {children}
      {!hasNoTitle && (
        <input
          ref={field}
          aria-label={label}
          placeholder={label}
          defaultValue={title}
          maxLength={MAX_TITLE}
          autocomplete="off"
          required
          dir="auto"
        />
      )}
      <button type="submit" class={isPrimary ? 'primary' : 'secondary'} disabled={isDisabled}>
        {answer}
      </button>
      {cancel && (
        <button type="button" class="secondary" onClick={cancel}>
          {texts.cancel}
        </button>
      )}
      <p role="alert">{failure}</p>
    </form>
  )
}
