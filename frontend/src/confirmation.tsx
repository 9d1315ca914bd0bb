import { texts } from './texts-later'

interface Props {
  /** The text of the button that asks the question. */
  label: string
  question: string
  /** The text of the button that answers it. */
  answer: string
  isDangerous?: boolean
  isOpen: boolean
  setOpen: (isOpen: boolean) => void
  onConfirm: () => void
}

/** A button that asks before something happens that can't be undone. */
export function Confirmation(props: Props) {
  const { label, question, answer, isDangerous, isOpen, setOpen, onConfirm } = props
  if (!isOpen) {
    return (
      <button
        type="button"
        class={isDangerous ? 'secondary danger' : 'secondary'}
        onClick={() => setOpen(true)}
      >
        {label}
      </button>
    )
  }
  return (
    <div class="confirm" role="alert">
      <p>{question}</p>
      <button type="button" class="primary" onClick={onConfirm}>
        {answer}
      </button>
      <button type="button" class="secondary" onClick={() => setOpen(false)}>
        {texts.cancel}
      </button>
    </div>
  )
}
