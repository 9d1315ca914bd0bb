import { useRef } from 'preact/hooks'
import type { Album } from './album'
import { bootstrap } from './bootstrap'
import { Icon } from './icons'
import { monthName, texts } from './texts'
import type { Uploader } from './uploads/uploader'

const ACCEPT =
  'image/jpeg,image/png,image/gif,image/webp,image/avif,image/heic,image/heif,.heic,.hif'

interface Props {
  album: Album
  /** The index of the month at the top of the window. */
  month: number
  uploader: Uploader
  onJump: (month: number) => void
}

export function Header({ album, month, uploader, onJump }: Props) {
  return (
    <header>
      <a class="brand" href={`${bootstrap.root}/`}>
        <img src={`${bootstrap.root}/static/icon.svg`} alt="" width="26" height="26" />
        <span>{texts.brand}</span>
      </a>
      {album.months.length > 1 && <MonthSelect album={album} month={month} onJump={onJump} />}
      <div class="actions">
        {matchMedia('(pointer: coarse)').matches && (
          <UploadButton uploader={uploader} label={texts.camera} icon="camera" camera />
        )}
        <UploadButton uploader={uploader} label={texts.upload} icon="add" />
        <SignOut />
      </div>
    </header>
  )
}

export function SignOut() {
  return bootstrap.signedIn ? (
    <form method="post" action={`${bootstrap.root}/sign-out`}>
      <button type="submit" class="secondary quiet">
        {texts.signOut}
      </button>
    </form>
  ) : null
}

function MonthSelect({ album, month, onJump }: Omit<Props, 'uploader'>) {
  const years = new Map<string, number[]>()
  album.months.forEach(({ month }, index) => {
    const year = month.slice(0, 4)
    years.set(year, [...(years.get(year) ?? []), index])
  })
  return (
    <span class="months">
      <select
        aria-label={texts.goToMonth}
        value={String(month)}
        onChange={(event) => onJump(Number(event.currentTarget.value))}
      >
        {[...years].map(([year, months]) => (
          <optgroup key={year} label={year}>
            {months.map((index) => (
              <option key={index} value={String(index)}>
                {monthName(album.months[index]?.month ?? '')} {year}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <Icon name="down" />
    </span>
  )
}

function UploadButton(props: {
  uploader: Uploader
  label: string
  icon: 'add' | 'camera'
  camera?: boolean
}) {
  const input = useRef<HTMLInputElement>(null)
  const onChange = () => {
    const files = [...(input.current?.files ?? [])]
    if (input.current) input.current.value = ''
    void props.uploader.add(files)
  }
  return (
    <>
      <button
        type="button"
        class={props.camera ? 'secondary' : 'primary'}
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
        onChange={onChange}
      />
    </>
  )
}
