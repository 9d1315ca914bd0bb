import { useId, useState } from 'preact/hooks'
import { texts } from '../texts-later'
import type { FormProps } from './actions'

/** Asks for a new date, or by how much to shift the dates. Submits the body of the request. */
export function DateForm({ count, submit, cancel }: FormProps) {
  const [isShift, setShift] = useState(false)
  const name = useId()
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    const time = data.get('time') as string
    submit(isShift ? { shift_seconds: Number(data.get('hours')) * 3600 } : { taken_at: time })
  }
  const choice = (label: string, value: boolean) => (
    <label>
      <input
        type="radio"
        name={`${name}kind`}
        checked={isShift === value}
        onChange={() => setShift(value)}
      />
      {label}
    </label>
  )
  return (
    <form class="selection-form" onSubmit={onSubmit}>
      <fieldset>
        <legend>{texts.changeDatesOf(count)}</legend>
        {choice(texts.setDate, false)}
        {choice(texts.shiftDate, true)}
      </fieldset>
      {isShift ? (
        <label>
          {texts.hours} <input name="hours" type="number" step="any" required />
        </label>
      ) : (
        <label>
          {texts.newDate}{' '}
          <input name="time" type="datetime-local" step="1" max="9998-12-31T23:59" required />
        </label>
      )}
      <button type="submit" class="primary">
        {texts.save}
      </button>
      <button type="button" class="secondary" onClick={cancel}>
        {texts.cancel}
      </button>
    </form>
  )
}
