import { bootstrap } from './bootstrap'
import { texts } from './texts-later'

/** Shown to an owner without photos. */
export function NoPhotos() {
  return (
    <div class="empty">
      <svg viewBox="0 0 120 90" aria-hidden="true">
        <rect x="6" y="16" width="78" height="58" rx="5" transform="rotate(-5 45 45)" />
        <rect class="front" x="34" y="18" width="78" height="58" rx="5" />
        <circle class="sun" cx="93" cy="35" r="6" />
        <path d="M38 70l22-24 15 15 10-9 23 18" />
      </svg>
      <h1>{texts.emptyTitle}</h1>
      <p>{texts.emptyText}</p>
      <p class="muted">
        <a href={`${bootstrap.root}/simple-upload`}>{texts.simplePage}</a>
      </p>
    </div>
  )
}
