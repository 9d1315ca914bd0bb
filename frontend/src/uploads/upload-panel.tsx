import { useState } from 'preact/hooks'
import type { Photo } from '../api'
import { Icon, type IconName } from '../icons-later'
import { useObservable } from '../observable'
import { formatPercent, formatRate, formatSize, texts } from '../texts-later'
import { isActive, isFinished, type Upload } from './upload'
import type { UploadList } from './upload-list'

const MAX_ROWS = 50

/** Shows the state of each upload, and the buttons to pause, retry and cancel it. */
interface Props {
  list: UploadList
  /** Whether a photo is far from the top of the list of all photos. */
  isOld: (photo: Photo) => boolean
  showRecent: () => void
}

export function UploadPanel({ list, isOld, showRecent }: Props) {
  useObservable(list)
  const [isOpen, setOpen] = useState(true)
  const { uploads } = list
  if (uploads.length === 0 && list.leftOut === 0) {
    return <p class="visually-hidden" role="status" />
  }
  const finished = uploads.filter(isFinished)
  const count = (state: Upload['state']) =>
    uploads.filter((upload) => upload.state === state).length
  const [added, present] = [count('done'), count('duplicate')]
  const [refused, failed] = [count('refused'), count('failed')]
  const isBusy = finished.length < uploads.length
  const parts = [
    isBusy ? texts.adding(finished.length, uploads.length) : added > 0 && texts.added(added),
    !isBusy && present > 0 && texts.present(present),
    refused > 0 && texts.refused(refused),
    failed > 0 && texts.notAdded(failed),
  ]
  const summary = uploads.length === 0 ? texts.noneAdded : parts.filter(Boolean).join(', ')
  const hasOld = uploads.some(({ state, photo }) => state === 'done' && photo && isOld(photo))
  const leftOut = list.leftOut > 0 ? texts.leftOut(list.leftOut) : ''
  const total = uploads.reduce((sum, { file }) => sum + file.size, 0)
  const sent = uploads.reduce(
    (sum, upload) => sum + (isFinished(upload) ? upload.file.size : upload.sent),
    0,
  )
  return (
    <section class="upload-panel" aria-label={texts.uploads}>
      <div class="upload-panel-header">
        <h2>{summary}</h2>
        {uploads.length > 0 && (
          <button
            type="button"
            class="icon-button"
            aria-expanded={isOpen}
            aria-label={isOpen ? texts.hideList : texts.showList}
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name={isOpen ? 'down' : 'up'} />
          </button>
        )}
        {!isBusy && (
          <button
            type="button"
            class="icon-button"
            aria-label={texts.close}
            onClick={() => list.clear()}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
      {isBusy && <progress class="total" max={total || 1} value={sent} aria-label={summary} />}
      {leftOut && <p class="left-out">{leftOut}</p>}
      {isOpen && uploads.length > 0 && (
        <ul>
          {firstRows(uploads).map((upload) => (
            <Row key={upload.key} upload={upload} list={list} />
          ))}
        </ul>
      )}
      {isOpen && (isBusy || failed > 0 || hasOld) && (
        <div class="upload-panel-footer">
          {!isBusy && hasOld && (
            <button type="button" class="secondary" onClick={showRecent}>
              {texts.showRecent}
            </button>
          )}
          {failed > 0 && (
            <button
              type="button"
              class="secondary"
              onClick={() => {
                for (const upload of uploads) if (upload.state === 'failed') list.retry(upload)
              }}
            >
              {texts.retry}
            </button>
          )}
          {isBusy && (
            <button type="button" class="secondary" onClick={() => list.cancelAll()}>
              {texts.cancelAll}
            </button>
          )}
        </div>
      )}
      <p class="visually-hidden" role="status">
        {isBusy && refused + failed === 0
          ? texts.uploads
          : [summary, leftOut].filter(Boolean).join('. ')}
      </p>
    </section>
  )
}

/** Return the uploads to list: errors first, then active, waiting and finished ones. */
function firstRows(uploads: Upload[]): Upload[] {
  const rank = (upload: Upload) =>
    upload.state === 'refused' || upload.state === 'failed'
      ? 0
      : isActive(upload)
        ? 1
        : isFinished(upload)
          ? 3
          : 2
  return [...uploads].sort((a, b) => rank(a) - rank(b) || a.key - b.key).slice(0, MAX_ROWS)
}

const ICONS: Partial<Record<Upload['state'], IconName>> = {
  done: 'done',
  duplicate: 'done',
  refused: 'alert',
  failed: 'alert',
}

function Row({ upload, list }: { upload: Upload; list: UploadList }) {
  const { file, state } = upload
  const icon = ICONS[state]
  const button = (name: string, icon: IconName, onClick: () => void) => (
    <button
      type="button"
      class="icon-button"
      aria-label={texts.actionOn(name, file.name)}
      title={name}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  )
  return (
    <li class={`upload ${state}`}>
      <span class="upload-name">
        <bdi>{file.name}</bdi>
      </span>
      <span class="upload-status">{statusText(upload)}</span>
      <span class="upload-actions">
        {icon && <Icon name={icon} />}
        {state === 'sending' && button(texts.pause, 'pause', () => list.pause(upload, true))}
        {state === 'paused' && button(texts.resume, 'play', () => list.pause(upload, false))}
        {(state === 'failed' || state === 'refused') &&
          upload.retryable &&
          button(texts.retry, 'retry', () => list.retry(upload))}
        {!isFinished(upload) && button(texts.cancel, 'close', () => list.cancel(upload))}
      </span>
      {isActive(upload) && (
        <progress
          max={file.size || 1}
          value={state === 'checking' ? undefined : upload.sent}
          aria-label={file.name}
        />
      )}
    </li>
  )
}

function statusText(upload: Upload): string {
  const { file, sent, state } = upload
  if (state === 'refused' || state === 'failed') return upload.reason
  if (state === 'sending' || state === 'paused') {
    const percent = formatPercent(sent / (file.size || 1))
    const detail =
      state === 'paused' ? texts.paused : upload.rate > 0 ? formatRate(upload.rate) : ''
    return [percent, formatSize(file.size), detail].filter(Boolean).join(' · ')
  }
  return texts[state]
}
