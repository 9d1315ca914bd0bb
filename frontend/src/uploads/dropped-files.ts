import { isImage } from './file-types'

export interface Selection {
  files: File[]
  /** How many other files were in the dropped folders. */
  leftOut: number
}

/**
 * Return the files of a drop, including those in folders.
 *
 * A folder holds more than photos: its other files are counted, not uploaded. Call this before the
 * drop event ends, which empties `data`.
 */
export function readDrop(data: DataTransfer): Promise<Selection> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  if (!entries.some((entry) => entry?.isDirectory)) {
    return Promise.resolve({ files: [...data.files], leftOut: 0 })
  }
  return readEntries(entries.filter((entry) => entry !== null))
}

/** Return the photos in these files and folders. Hidden files are not counted. */
export async function readEntries(entries: FileSystemEntry[]): Promise<Selection> {
  const all = (await Promise.all(entries.map(filesIn))).flat()
  const files = all.filter(isImage)
  return { files, leftOut: all.length - files.length }
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return file.name.startsWith('.') ? [] : [file]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const files: File[] = []
  for (;;) {
    // A browser returns a folder's entries in batches, the last of them empty.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (batch.length === 0) return files
    for (const child of batch) files.push(...(await filesIn(child)))
  }
}
