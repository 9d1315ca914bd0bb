import { Icon } from './icons'
import { Observable, useObservable } from './observable'
import { texts } from './texts'

const SHOWN_TIME = 8_000

export interface Action {
  label: string
  run: () => void
}

interface Toast {
  key: number
  text: string
  action?: Action | undefined
}

/** The messages that lie over the page for some seconds. */
export class Toasts extends Observable {
  toasts: Toast[] = []
  #lastKey = 0
  #onDismiss = new Map<number, () => void>()

  /** Show a message, for some seconds unless it has an action. Return its key. */
  show(text: string, action?: Action, onDismiss?: () => void): number {
    const key = ++this.#lastKey
    this.toasts = [...this.toasts.slice(-2), { key, text, action }]
    if (onDismiss) this.#onDismiss.set(key, onDismiss)
    this.notify()
    if (!action) setTimeout(() => this.remove(key), SHOWN_TIME)
    return key
  }

  dismiss(key: number): void {
    this.#onDismiss.get(key)?.()
    this.remove(key)
  }

  remove(key: number): void {
    this.#onDismiss.delete(key)
    this.toasts = this.toasts.filter((toast) => toast.key !== key)
    this.notify()
  }

  /** Whether one has the pointer or the focus. */
  get isHeld(): boolean {
    return document.querySelector('.toasts:is(:hover, :focus-within)') !== null
  }
}

export function ToastStack({ toasts }: { toasts: Toasts }) {
  useObservable(toasts)
  return (
    <div class="toasts">
      <div role="status" aria-live="polite">
        {toasts.toasts.map(({ key, text, action }) => (
          <div key={key} class="toast">
            <span>{text}</span>
            {action && (
              <button
                type="button"
                class="secondary"
                onClick={() => {
                  toasts.remove(key)
                  action.run()
                }}
              >
                {action.label}
              </button>
            )}
            <button
              type="button"
              class="icon-button"
              aria-label={texts.dismiss}
              onClick={() => toasts.dismiss(key)}
            >
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </div>
  )
}
