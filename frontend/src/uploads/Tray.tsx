import { useState } from 'preact/hooks'
import { Icon, type IconName } from '../icons'
import { bytes, rate, texts } from '../texts'
import { useTopic } from '../topic'
import { isOver, isUnderWay, type Upload } from './Upload'
import type { UploadList } from './UploadList'

const SHOWN = 50

/** What is being sent, how far it is, and what became of it. */
export function Tray({ list }: { list: UploadList }) {
  useTopic(list)
  const [open, setOpen] = useState(true)
  const { uploads } = list
  if (uploads.length === 0) return <p class="unseen" role="status" />
  const over = uploads.filter(isOver)
  const done = uploads.filter(({ state }) => state === 'done' || state === 'twin').length
  const trouble = over.length - done
  const busy = over.length < uploads.length
  const summary = [
    busy ? texts.trayBusy(over.length, uploads.length) : done > 0 && texts.trayDone(done),
    trouble > 0 && texts.trayTrouble(trouble),
  ]
    .filter(Boolean)
    .join(', ')
  const total = uploads.reduce((sum, { file }) => sum + file.size, 0)
  const sent = uploads.reduce((sum, each) => sum + (isOver(each) ? each.file.size : each.sent), 0)
  return (
    <section class="tray" aria-label={texts.tray}>
      <div class="tray-head">
        <h2>{summary}</h2>
        <button
          type="button"
          class="bare"
          aria-expanded={open}
          aria-label={open ? texts.hide : texts.show}
          onClick={() => setOpen(!open)}
        >
          <Icon name={open ? 'down' : 'up'} />
        </button>
        {!busy && (
          <button type="button" class="bare" aria-label={texts.clear} onClick={() => list.clear()}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {busy && <progress class="whole" max={total || 1} value={sent} aria-label={summary} />}
      {open && (
        <ul>
          {inOrder(uploads).map((upload) => (
            <Row key={upload.key} upload={upload} list={list} />
          ))}
        </ul>
      )}
      {open && (busy || trouble > 0) && (
        <div class="tray-foot">
          {uploads.some(({ state }) => state === 'failed') && (
            <button
              type="button"
              class="plain"
              onClick={() => {
                for (const each of uploads) if (each.state === 'failed') list.retry(each)
              }}
            >
              {texts.retryAll}
            </button>
          )}
          {busy && (
            <button type="button" class="plain" onClick={() => list.cancelAll()}>
              {texts.cancelAll}
            </button>
          )}
        </div>
      )}
      <p class="unseen" role="status">
        {busy && trouble === 0 ? texts.tray : summary}
      </p>
    </section>
  )
}

/** Those that want to be seen first; of hundreds, the first few. */
function inOrder(uploads: Upload[]): Upload[] {
  const rank = (each: Upload) =>
    each.state === 'refused' || each.state === 'failed'
      ? 0
      : isUnderWay(each)
        ? 1
        : isOver(each)
          ? 3
          : 2
  return [...uploads].sort((a, b) => rank(a) - rank(b) || a.key - b.key).slice(0, SHOWN)
}

const ICONS: Partial<Record<Upload['state'], IconName>> = {
  done: 'done',
  twin: 'done',
  refused: 'alert',
  failed: 'alert',
}

function Row({ upload, list }: { upload: Upload; list: UploadList }) {
  const { file, state } = upload
  const icon = ICONS[state]
  const action = (name: string, icon: IconName, act: () => void) => (
    <button
      type="button"
      class="bare"
      aria-label={texts.of(name, file.name)}
      title={name}
      onClick={act}
    >
      <Icon name={icon} />
    </button>
  )
  return (
    <li class={`upload ${state}`}>
      <span class="upload-name">
        <bdi>{file.name}</bdi>
      </span>
      <span class="upload-state">{said(upload)}</span>
      <span class="upload-acts">
        {icon && <Icon name={icon} />}
        {state === 'sending' && action(texts.pause, 'pause', () => list.pause(upload, true))}
        {state === 'paused' && action(texts.resume, 'play', () => list.pause(upload, false))}
        {(state === 'failed' || state === 'refused') &&
          action(texts.retry, 'again', () => list.retry(upload))}
        {!isOver(upload) && action(texts.cancel, 'close', () => list.cancel(upload))}
      </span>
      {isUnderWay(upload) && (
        <progress
          max={file.size || 1}
          value={state === 'checking' ? undefined : upload.sent}
          aria-label={file.name}
        />
      )}
    </li>
  )
}

function said(upload: Upload): string {
  const { file, sent, state } = upload
  if (state === 'refused' || state === 'failed') return upload.reason
  if (state === 'sending' || state === 'paused') {
    const percent = `${Math.floor((100 * sent) / (file.size || 1))}%`
    const rest = state === 'paused' ? texts.paused : upload.rate > 0 ? rate(upload.rate) : ''
    return [percent, bytes(file.size), rest].filter(Boolean).join(' · ')
  }
  return texts[state]
}
