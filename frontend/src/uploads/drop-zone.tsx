import { useLayoutEffect, useState } from 'preact/hooks'
import { texts } from '../texts'
import type { Chosen, Uploader } from './uploader'

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false

/** Return the files of a drop, or its entries if there are folders. The end of its event empties it. */
function readDrop(data: DataTransfer): Chosen {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  return entries.some((entry) => entry?.isDirectory)
    ? entries.filter((entry) => entry !== null)
    : [...data.files]
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
        uploader.add(readDrop(event.dataTransfer))
      },
      paste: (event: ClipboardEvent) => {
        const files = [...(event.clipboardData?.files ?? [])]
        if (files.length === 0) return
        event.preventDefault()
        uploader.add(files)
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
