import { useRef } from 'preact/hooks'
import { viewUrl } from './address'
import { bootstrap } from './bootstrap'
import { Icon } from './icons'
import { later } from './later'
import type { Navigation } from './navigation'
import type { PhotoList } from './photo-list'
import { texts } from './texts'
import type { Uploader } from './uploads/uploader'
import { viewName, VIEWS } from './views/views'

const MonthSelect = later(async () => (await import('./month-select')).MonthSelect)

export const More = later(async () => (await import('./more')).More)

const ACCEPT =
  'image/jpeg,image/png,image/gif,image/webp,image/avif,image/heic,image/heif,.heic,.hif'

interface Props {
  list: PhotoList
  navigation: Navigation
  /** The index of the month at the top of the window. */
  month: number
  uploader: Uploader
}

export function Header({ list, navigation, month, uploader }: Props) {
  return (
    <header>
      <a class="brand" href={viewUrl('')}>
        <img src={`${bootstrap.root}/static/icon.svg`} alt="" width="26" height="26" />
        <span>{texts.brand}</span>
      </a>
      <ViewLinks navigation={navigation} />
      {navigation.view.source && list.months.length > 1 && (
        <MonthSelect
          list={list}
          month={month}
          onJump={(month) => navigation.grid.current?.toMonth(month)}
        />
      )}
      <div class="actions">
        {matchMedia('(pointer: coarse)').matches && (
          <UploadButton uploader={uploader} label={texts.camera} icon="camera" camera />
        )}
        <UploadButton uploader={uploader} label={texts.upload} icon="add" />
        <div class="more">
          <More navigation={navigation} />
        </div>
      </div>
    </header>
  )
}

function ViewLinks({ navigation }: { navigation: Navigation }) {
  const current = navigation.view.parent ?? viewName(new URLSearchParams(navigation.query))
  const all = { '': { link: { label: texts.photos, icon: 'photos' as const } }, ...VIEWS }
  return (
    <nav class="views" aria-label={texts.views}>
      {Object.entries(all).map(([name, { link }]) => {
        if (!link) return null
        const query = name && `?view=${name}`
        const onClick = (event: MouseEvent) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return
          event.preventDefault()
          navigation.goTo(query)
        }
        return (
          <a
            key={name}
            href={viewUrl(query)}
            aria-current={name === current ? 'page' : undefined}
            onClick={onClick}
          >
            <Icon name={link.icon} />
            <span>{link.label}</span>
          </a>
        )
      })}
    </nav>
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
    props.uploader.add(files)
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
