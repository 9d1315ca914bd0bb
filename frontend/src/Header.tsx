import { useRef } from 'preact/hooks'
import type { Album } from './album'
import { ACCEPT, house } from './house'
import { Icon } from './icons'
import { monthAlone, texts } from './texts'
import type { Inbox } from './uploads/inbox'

interface Props {
  album: Album
  /** The month that is being looked at. */
  month: number
  inbox: Inbox
  onJump: (month: number) => void
}

/** The bar at the top: where one is, and what can be added. */
export function Header({ album, month, inbox, onJump }: Props) {
  return (
    <header>
      <a class="brand" href={`${house.root}/`}>
        <img src={`${house.root}/static/icon.svg`} alt="" width="26" height="26" />
        <span>{texts.brand}</span>
      </a>
      {album.months.length > 1 && <Months album={album} month={month} onJump={onJump} />}
      <div class="actions">
        {matchMedia('(pointer: coarse)').matches && (
          <Chooser inbox={inbox} label={texts.camera} icon="camera" camera />
        )}
        <Chooser inbox={inbox} label={texts.upload} icon="add" />
        <SignOut />
      </div>
    </header>
  )
}

export function SignOut() {
  return house.signedIn ? (
    <form method="post" action={`${house.root}/sign-out`}>
      <button type="submit" class="plain quiet">
        {texts.signOut}
      </button>
    </form>
  ) : null
}

function Months({ album, month, onJump }: Omit<Props, 'inbox'>) {
  const years = new Map<string, number[]>()
  album.months.forEach((each, n) => {
    const year = each.month.slice(0, 4)
    years.set(year, [...(years.get(year) ?? []), n])
  })
  return (
    <span class="months">
      <select
        aria-label={texts.jump}
        value={String(month)}
        onChange={(event) => onJump(Number(event.currentTarget.value))}
      >
        {[...years].map(([year, months]) => (
          <optgroup key={year} label={year}>
            {months.map((n) => (
              <option key={n} value={String(n)}>
                {monthAlone(album.months[n]?.month ?? '')} {year}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <Icon name="down" />
    </span>
  )
}

function Chooser(props: { inbox: Inbox; label: string; icon: 'add' | 'camera'; camera?: boolean }) {
  const input = useRef<HTMLInputElement>(null)
  const chosen = () => {
    const files = [...(input.current?.files ?? [])]
    if (input.current) input.current.value = ''
    void props.inbox.add(files)
  }
  return (
    <>
      <button
        type="button"
        class={props.camera ? 'plain' : 'main'}
        aria-label={props.label}
        onClick={() => input.current?.click()}
      >
        <Icon name={props.icon} />
        {!props.camera && <span>{props.label}</span>}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple={!props.camera}
        accept={props.camera ? 'image/*' : ACCEPT}
        {...(props.camera ? { capture: 'environment' } : {})}
        onChange={chosen}
      />
    </>
  )
}
