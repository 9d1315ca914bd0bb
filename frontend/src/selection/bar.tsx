import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from '../icons-later'
import { useObservable } from '../observable'
import { formatInteger, texts } from '../texts-later'
import type { Action, FormProps } from './actions'
import type { Runner } from './runner'
import type { Selection } from './selection'

interface Props {
  selection: Selection
  runner: Runner
  actions: Action[]
}

/** Shows how many photos are selected, and what can be done with them. */
export function SelectionBar({ selection, runner, actions }: Props) {
  useObservable(selection)
  useObservable(runner)
  const [asking, setAsking] = useState<Action>()
  const bar = useRef<HTMLElement>(null)
  const count = selection.ids.size
  const offered = actions.filter(({ most = count }) => count <= most)
  const { active, failure } = runner
  const { isOn } = selection
  const wasOn = useRef(false)
  /** The name of the action that was started last. */
  const started = useRef('')
  useEffect(() => {
    const hasLostFocus = document.activeElement === document.body
    if (wasOn.current && !isOn) {
      setAsking(undefined)
      if (hasLostFocus) document.getElementById('photos')?.focus({ preventScroll: true })
    }
    wasOn.current = isOn
  }, [isOn])
  useEffect(() => {
    const first = asking ? 'form :is(input:not([type=radio]), button)' : 'button.secondary'
    if (asking || document.activeElement === document.body) {
      bar.current?.querySelector<HTMLElement>(first)?.focus()
    }
  }, [asking])
  // A button loses the focus while it is disabled.
  useEffect(() => {
    if (active || document.activeElement !== document.body) return
    bar.current?.querySelector<HTMLElement>(`[data-action="${started.current}"]`)?.focus()
  }, [active])
  const start = (action: Action) => {
    started.current = action.name
    if (action.Form || action.isDangerous) setAsking(action)
    else void runner.run(action)
  }
  const close = () => {
    setAsking(undefined)
    runner.forget()
    selection.clear()
  }
  const state = active
    ? texts.working(formatInteger(active.finished), formatInteger(active.all))
    : selection.isLoading
      ? texts.selecting(count)
      : texts.selected(count)
  const notice = failure && [failure.action.failed(failure.count), ...failure.reasons].join(' ')
  const Form = asking?.Form ?? Confirmation
  return (
    <>
      {isOn && (
        <section ref={bar} class="selection-bar" aria-label={texts.selection}>
          {(notice ?? selection.failure) && (
            <p class="selection-notice">
              <span>{notice ?? `${texts.notLoaded} ${selection.failure?.message}`}</span>
              {failure && (
                <button type="button" class="secondary" onClick={() => void runner.retry()}>
                  {texts.retry}
                </button>
              )}
            </p>
          )}
          {asking ? (
            <Form
              action={asking}
              count={count}
              cancel={() => setAsking(undefined)}
              submit={(value) => {
                setAsking(undefined)
                void runner.run(asking, value)
              }}
            />
          ) : (
            <div class="selection-actions">
              <button
                type="button"
                class="icon-button"
                aria-label={texts.endSelection}
                title={texts.endSelection}
                onClick={close}
              >
                <Icon name="close" />
              </button>
              <strong>{state}</strong>
              {offered.map((action) => (
                <button
                  key={action.name}
                  type="button"
                  class={action.isCompact ? 'secondary compact' : 'secondary'}
                  title={action.isCompact ? action.label : undefined}
                  data-action={action.name}
                  data-key={action.key}
                  aria-keyshortcuts={action.key}
                  disabled={active !== undefined || selection.isLoading}
                  onClick={() => start(action)}
                >
                  <Icon name={action.icon} />
                  <span>{action.label}</span>
                </button>
              ))}
            </div>
          )}
        </section>
      )}
      <p class="visually-hidden" role="status">
        {isOn ? [notice, state, count === 1 && texts.selectionKeys].filter(Boolean).join(' ') : ''}
      </p>
    </>
  )
}

function Confirmation({ action, count, submit, cancel }: FormProps & { action: Action }) {
  const question = action.question?.(count) ?? texts.confirm(action.label, count)
  return (
    <form
      class="selection-form"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <strong>{question}</strong>
      <button type="submit" class="primary">
        {action.label}
      </button>
      <button type="button" class="secondary" onClick={cancel}>
        {texts.cancel}
      </button>
    </form>
  )
}
