import type { Album } from '../album'
import type { UploadList } from './UploadList'

/** Takes files from wherever they come, before and after the uploader has loaded. */
export class Inbox {
  #list: Promise<UploadList> | undefined

  constructor(
    readonly album: Album,
    readonly element: HTMLElement,
  ) {}

  async add(files: File[] | Promise<File[]>): Promise<void> {
    const given = await files
    if (given.length === 0) return
    this.#list ??= import('./start').then(({ start }) => start(this.album, this.element))
    const list = await this.#list.catch((error: unknown) => {
      this.#list = undefined // it may load next time
      throw error
    })
    list.add(given)
  }
}

/** The files of a drop, those in folders too. To be called while the event lasts. */
export function dropped(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null)
  if (!entries.some((entry) => entry?.isDirectory)) return Promise.resolve([...data.files])
  const found = entries.flatMap((entry) => (entry ? [within(entry)] : []))
  return Promise.all(found).then((files) => files.flat())
}

async function within(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return file.name.startsWith('.') ? [] : [file]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: File[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return found
    for (const each of some) found.push(...(await within(each)))
  }
}
