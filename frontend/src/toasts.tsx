import type { Deletions } from './deletions'
import { Icon } from './icons'
import { useObservable } from './observable'
import { texts } from './texts'

export function Toasts({ deletions }: { deletions: Deletions }) {
  useObservable(deletions)
  const hold = () => deletions.hold(true)
  const release = () => deletions.hold(false)
  return (
    <div
      class="toasts"
      onMouseEnter={hold}
      onMouseLeave={release}
      onFocusCapture={hold}
      onBlurCapture={release}
    >
      <div role="status" aria-live="polite">
        {deletions.toasts.map((toast) => (
          <div key={toast.key} class="toast">
            <span>{toast.text}</span>
            {toast.undo && (
              <button type="button" class="secondary" onClick={toast.undo}>
                {texts.undo}
              </button>
            )}
            <button
              type="button"
              class="icon-button"
              aria-label={texts.dismiss}
              onClick={() => deletions.dismiss(toast.key)}
            >
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </div>
  )
}
