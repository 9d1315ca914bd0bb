import { useRef, useState } from 'preact/hooks'
import { fetchPhoto, type Photo } from '../api-later'
import { bootstrap } from '../bootstrap'
import { Icon } from '../icons-later'
import { formatDay, texts } from '../texts-later'
import { largerSources } from './sources'

/** Milliseconds: browsers let a page write to the clipboard only for a few seconds after a click. */
const MAX_WAIT = 3_500

/** Copies expiring links to the largest rendition and to the original. */
export function Share({ photo }: { photo: Photo }) {
  const [status, setStatus] = useState('')
  const [isConfirming, setConfirming] = useState(false)
  const [shownUrl, setShownUrl] = useState('')
  const until = formatDay(photo.expires_at)
  const warnings = [
    ...(photo.located ? [texts.location] : []),
    ...(photo.displayable ? [] : [texts.notDisplayable]),
  ]
  const copy = async (url: string, message: string) => {
    const done = await copyText(url)
    setShownUrl(done ? '' : url)
    setStatus(done ? message : texts.notCopied)
    setConfirming(false)
  }
  const copyOriginal = () => {
    if (warnings.length && !isConfirming) setConfirming(true)
    else void copy(photo.original_url, texts.copiedOriginal(until))
  }
  return (
    <div class="share">
      <button
        type="button"
        class="primary"
        onClick={() => void largestLink(photo).then((url) => copy(url, texts.copied(until)))}
      >
        <Icon name="link" />
        {texts.share}
      </button>
      <p class="status">{texts.shareHint(until)}</p>
      <button type="button" class="secondary" onClick={copyOriginal} aria-expanded={isConfirming}>
        {texts.shareOriginal}
      </button>
      {isConfirming && (
        <div class="confirm" role="alert" ref={showAlert}>
          <p>{[...warnings, texts.copyAnywayQuestion].join(' ')}</p>
          <button type="button" class="primary" onClick={copyOriginal}>
            {texts.copyAnyway}
          </button>
          <button type="button" class="secondary" onClick={() => setConfirming(false)}>
            {texts.cancel}
          </button>
        </div>
      )}
      <p class="status" role="status">
        {status}
      </p>
      {shownUrl && <LinkField url={shownUrl} />}
    </div>
  )
}

/** Return a link to the largest rendition, which the server may have to make first. */
async function largestLink(photo: Photo): Promise<string> {
  const larger = largerSources(photo, bootstrap).at(-1)
  let { renditions } = photo
  if (larger) {
    try {
      const signal = AbortSignal.timeout(MAX_WAIT)
      // Only to have it made: what it redirects to is for HEAD.
      await fetch(larger.url, { method: 'HEAD', redirect: 'manual', signal })
      renditions = (await fetchPhoto(photo.id)).renditions
    } catch {
      // A link to a smaller one is better than none.
    }
  }
  const start = { width: 0, url: photo.photo_url }
  return renditions.reduce((best, each) => (each.width > best.width ? each : best), start).url
}

/** Scroll to the warning, which on a phone is below the edge of the panel. */
const showAlert = (alert: HTMLElement | null) => alert?.scrollIntoView({ block: 'nearest' })

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

/** Copy a text to the clipboard. Return whether the browser allowed it. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // On plain HTTP there is no navigator.clipboard: use the older interface.
  }
  const before = document.activeElement as HTMLElement | null
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'visually-hidden'
  ;(document.querySelector('.pswp') ?? document.body).append(field)
  field.select()
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else works on plain HTTP
  const done = document.execCommand('copy')
  field.remove()
  before?.focus()
  return done
}
