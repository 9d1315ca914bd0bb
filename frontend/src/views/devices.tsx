import { useEffect, useRef, useState } from 'preact/hooks'
import { request } from '../api'
import type { components } from '../api.gen'
import { bootstrap } from '../bootstrap'
import { Confirmation } from '../confirmation'
import { formatTime, texts } from '../texts-later'
import type { View } from './views'
import './devices.css'

type Session = components['schemas']['SessionView']

/** The server stores the last use once an hour: what is as recent may be going on. */
const PRECISION = 3_600_000

/** The browsers that are signed in. */
export const open = (): View => ({ title: texts.devices, Body: Devices })

const nameOf = ({ browser_name, system }: Session): string =>
  texts.device(browser_name ?? texts.unknownBrowser, system)

const lastSeen = ({ seen_at }: Session): string =>
  Date.now() - Date.parse(seen_at) < PRECISION
    ? texts.seenLately
    : texts.seenAt(formatTime(seen_at))

function Devices() {
  const [sessions, setSessions] = useState<Session[]>()
  const [status, setStatus] = useState('')
  const [failure, setFailure] = useState('')
  const [isAsking, setAsking] = useState(false)
  const heading = useRef<HTMLHeadingElement>(null)
  const load = async () => {
    try {
      const found = (await (await request('/sessions')).json()) as Session[]
      setSessions(found.sort((a, b) => Number(b.current) - Number(a.current)))
      setFailure('')
    } catch (error) {
      setFailure(`${texts.devicesNotLoaded} ${(error as Error).message}`)
    }
  }
  useEffect(() => void load(), [])
  const signOut = async (path: string, done: string) => {
    setAsking(false)
    setStatus('')
    try {
      await request(path, { method: 'DELETE' })
      setStatus(done)
    } catch (error) {
      setStatus(`${texts.notSignedOut} ${(error as Error).message}`)
    }
    await load()
    // The button that was pressed is gone.
    heading.current?.focus()
  }
  return (
    <div class="devices">
      <h1 ref={heading} tabIndex={-1}>
        {texts.devices}
      </h1>
      {failure && (
        <p role="alert">
          {failure}{' '}
          <button type="button" class="secondary" onClick={() => void load()}>
            {texts.retry}
          </button>
        </p>
      )}
      <p role="status">{status}</p>
      {sessions?.length === 0 && <p class="muted">{texts.noDevices}</p>}
      <ul>
        {sessions?.map((session) => (
          <li key={session.id}>
            <div>
              <strong>{nameOf(session)}</strong>
              {session.current && <span class="current">{texts.thisBrowser}</span>}
              <p class="muted">
                {session.current ? '' : `${lastSeen(session)} `}
                {texts.signedInAt(formatTime(session.created_at))}
                {session.address && <> {texts.fromAddress(session.address)}</>}
              </p>
            </div>
            {session.current ? (
              <form method="post" action={`${bootstrap.root}/sign-out`}>
                <button type="submit" class="secondary">
                  {texts.signOut}
                </button>
              </form>
            ) : (
              <button
                type="button"
                class="secondary"
                aria-label={texts.actionOn(texts.signOut, nameOf(session))}
                onClick={() =>
                  void signOut(`/sessions/${session.id}`, texts.signedOut(nameOf(session)))
                }
              >
                {texts.signOut}
              </button>
            )}
          </li>
        ))}
      </ul>
      {sessions?.some(({ current }) => !current) && (
        <Confirmation
          label={texts.signOutOthersEllipsis}
          question={texts.signOutOthersQuestion}
          answer={texts.signOutOthers}
          isDangerous
          isOpen={isAsking}
          setOpen={setAsking}
          onConfirm={() => void signOut('/sessions', texts.signedOutOthers)}
        />
      )}
    </div>
  )
}
