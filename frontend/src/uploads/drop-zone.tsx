import { useLayoutEffect, useState } from 'preact/hooks'
import { texts } from '../texts'
import type { Selection } from './dropped-files'
import type { Uploader } from './uploader'

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false

/** Return the files of a drop, and those in its folders. The end of its event empties `data`. */
async function readDrop(data: DataTransfer): Promise<Selection> {
  const files = [...data.files]
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  if (!entries.some((entry) => entry?.isDirectory)) return { files, leftOut: 0 }
  const { readEntries } = await import('./dropped-files')
  return readEntries(entries.filter((entry) => entry !== null))
}

/** Uploads files that are dropped or pasted anywhere on the page. */
export function DropZone({ uploader }: { uploader: Uploader }) {
  const [isDragging, setDragging] = useState(false)
  // A layout effect, since until the handlers exist the browser opens a dropped file as a page.
  useLayoutEffect(() => {
    let depth = 0
    const addDepth = (change: number) => {
      depth = Math.max(0, depth + change)
      setDragging(depth > 0)
    }
    const handlers = {
      dragenter: (event: DragEvent) => {
        if (hasFiles(event)) addDepth(1)
      },
      dragleave: (event: DragEvent) => {
        if (hasFiles(event)) addDepth(-1)
      },
      dragover: (event: DragEvent) => {
        if (hasFiles(event)) event.preventDefault()
      },
      drop: (event: DragEvent) => {
        if (!hasFiles(event) || !event.dataTransfer) return
        event.preventDefault()
        addDepth(-depth)
        void uploader.add(readDrop(event.dataTransfer))
      },
      paste: (event: ClipboardEvent) => {
        const files = [...(event.clipboardData?.files ?? [])]
        if (files.length === 0) return
        event.preventDefault()
        void uploader.add(files)
      },
    }
    const listeners = Object.entries(handlers) as [string, EventListener][]
    for (const [name, listener] of listeners) addEventListener(name, listener)
    return () => {
      for (const [name, listener] of listeners) removeEventListener(name, listener)
    }
  }, [uploader])
  return isDragging ? (
    <div class="drop-overlay">
      <p>{texts.dropHere}</p>
    </div>
  ) : null
}
