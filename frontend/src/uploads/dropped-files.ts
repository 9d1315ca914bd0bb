import { isImage } from './file-types'

export interface Selection {
  files: File[]
  /** How many other files were in the dropped folders. */
  leftOut: number
}

/**
 * Return the photos in these files and folders.
 *
 * A folder holds more than photos: its other files are counted, not uploaded. Hidden ones are not
 * counted either.
 */
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
