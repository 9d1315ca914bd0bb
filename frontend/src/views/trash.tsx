import { useState } from 'preact/hooks'
import './trash.css'
import { fetchPage, hasTrash, request } from '../api-later'
import { Confirmation } from '../confirmation'
import type { PhotoList } from '../photo-list'
import { type Action, changeMany, deleteForGood } from '../selection/actions'
import type { Source } from '../source'
import { texts } from '../texts-later'
import type { View } from './views'

interface Contents {
  photos: number
  days: number
  revoking: number
}

let contents: Contents = { photos: 0, days: 0, revoking: 0 }

const source: Source = {
  sections: async () => {
    contents = (await (await request('/trash')).json()) as Contents
    return contents.photos ? [{ month: '', count: contents.photos, after: '' }] : []
  },
  page: (position) => fetchPage('trash=true', position),
}

const restore: Action = {
  name: 'restore',
  label: texts.restore,
  icon: 'retry',
  run: changeMany('POST', (ids) => `/photos/restore?ids=${ids}`),
  done: (count) => texts.restoredMany(count),
  failed: (count) => texts.notRestoredMany(count),
}

const actions = [restore, deleteForGood]

/** The photos in the trash, the last deleted first. */
export const open = (): View => ({ title: texts.trash, source, Head, Empty, actions })

function Head({ list }: { list: PhotoList }) {
  const [isConfirming, setConfirming] = useState(false)
  const [status, setStatus] = useState('')
  const empty = async () => {
    setConfirming(false)
    setStatus(texts.emptying)
    try {
      await request('/trash', { method: 'DELETE' })
      setStatus('')
    } catch (error) {
      setStatus(`${texts.notEmptied} ${(error as Error).message}`)
    }
    await list.refresh()
  }
  return (
    <div class="trash-head">
      <h1>{texts.trash}</h1>
      {list.total > 0 && (
        <>
          <p>{hasTrash ? texts.trashHint(contents.days) : texts.noTrash}</p>
          {contents.revoking > 0 && <p role="status">{texts.revokingHint}</p>}
          <Confirmation
            label={texts.emptyTrash}
            question={texts.deleteForGoodQuestion(list.total)}
            answer={texts.deleteForGood}
            isDangerous
            isOpen={isConfirming}
            setOpen={setConfirming}
            onConfirm={() => void empty()}
          />
        </>
      )}
      <p role="status">{status}</p>
    </div>
  )
}

function Empty() {
  return (
    <div class="empty">
      <p>{hasTrash ? texts.trashIsEmpty : texts.noTrash}</p>
    </div>
  )
}
