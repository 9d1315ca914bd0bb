import { useRef, useState } from 'preact/hooks'
import type { Photo } from '../api'
import { Icon } from '../icons'
import { day, texts } from '../texts'

/** Copies expiring links: to the largest rendition, and to the original for who asks for it. */
export function Share({ photo }: { photo: Photo }) {
  const [state, setState] = useState('')
  const [asking, setAsking] = useState(false)
  const [shown, setShown] = useState('')
  const until = day(photo.expires_at)
  const largest = photo.renditions.reduce(
    (best, each) => (each.width > best.width ? each : best),
    photo.renditions[0] ?? { width: 0, url: photo.photo_url },
  )
  const copy = async (url: string, said: string) => {
    const done = await copied(url)
    setShown(done ? '' : url)
    setState(done ? said : texts.notCopied)
    setAsking(false)
  }
  const original = () => {
    if (photo.located && !asking) setAsking(true)
    else void copy(photo.original_url, texts.copiedOriginal(until))
  }
  return (
    <div class="share">
      <button
        type="button"
        class="main"
        onClick={() => void copy(largest.url, texts.copied(until))}
      >
        <Icon name="link" />
        {texts.share}
      </button>
      <p class="state">{texts.shareHint(until)}</p>
      <button type="button" class="plain" onClick={original} aria-expanded={asking}>
        {texts.shareOriginal}
      </button>
      {asking && (
        <div class="asking" role="alert">
          <p>{texts.located}</p>
          <button type="button" class="main" onClick={original}>
            {texts.copyIt}
          </button>
          <button type="button" class="plain" onClick={() => setAsking(false)}>
            {texts.cancel}
          </button>
        </div>
      )}
      <p class="state" role="status">
        {state}
      </p>
      {shown && <LinkField url={shown} />}
    </div>
  )
}

function LinkField({ url }: { url: string }) {
  const field = useRef<HTMLInputElement>(null)
  return (
    <input
      ref={field}
      readOnly
      value={url}
      aria-label={texts.share}
      onFocus={() => field.current?.select()}
    />
  )
}

/** Copy a text, without the clipboard's interface where it is missing: on plain HTTP. */
async function copied(text: string): Promise<boolean> {
  try {
    // It is missing on plain HTTP, which the type doesn't say; or it may not be used.
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // The older way may do.
  }
  const before = document.activeElement as HTMLElement | null
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'unseen'
  ;(document.querySelector('.pswp') ?? document.body).append(field)
  field.select()
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is nothing else then
  const done = document.execCommand('copy')
  field.remove()
  before?.focus()
  return done
}
