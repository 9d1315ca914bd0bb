import { useLayoutEffect, useState } from 'preact/hooks'
import { texts } from '../texts'
import { dropped, type Inbox } from './inbox'

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false

/** Takes what is dropped or pasted anywhere on the page. */
export function DropZone({ inbox }: { inbox: Inbox }) {
  const [over, setOver] = useState(false)
  // At once, not after the next frame: a file dropped meanwhile would take the page's place.
  useLayoutEffect(() => {
    let depth = 0
    const show = (by: number) => {
      depth = Math.max(0, depth + by)
      setOver(depth > 0)
    }
    const handlers = {
      dragenter: (event: DragEvent) => {
        if (hasFiles(event)) show(1)
      },
      dragleave: (event: DragEvent) => {
        if (hasFiles(event)) show(-1)
      },
      dragover: (event: DragEvent) => {
        if (hasFiles(event)) event.preventDefault()
      },
      drop: (event: DragEvent) => {
        if (!hasFiles(event) || !event.dataTransfer) return
        event.preventDefault()
        show(-depth)
        void inbox.add(dropped(event.dataTransfer))
      },
      paste: (event: ClipboardEvent) => {
        const files = [...(event.clipboardData?.files ?? [])]
        if (files.length === 0) return
        event.preventDefault()
        void inbox.add(files)
      },
    }
    const all = Object.entries(handlers) as [string, EventListener][]
    for (const [name, handler] of all) addEventListener(name, handler)
    return () => {
      for (const [name, handler] of all) removeEventListener(name, handler)
    }
  }, [inbox])
  return over ? (
    <div class="dropping">
      <p>{texts.dropHere}</p>
    </div>
  ) : null
}
