import type { PhotoList } from '../photo-list'
import type { Selection } from './dropped-files'
import type { UploadList } from './upload-list'

/** Passes files to the upload list, whose code is loaded with the first of them. */
export class Uploader {
  #list: Promise<UploadList> | undefined

  constructor(
    readonly list: PhotoList,
    readonly element: HTMLElement,
  ) {}

  async add(selected: File[] | Promise<Selection>): Promise<void> {
    const { files, leftOut } = Array.isArray(selected)
      ? { files: selected, leftOut: 0 }
      : await selected
    if (files.length + leftOut === 0) return
    this.#list ??= import('./start').then(({ start }) => start(this.list, this.element))
    const list = await this.#list.catch((error: unknown) => {
      this.#list = undefined // The import may succeed next time.
      throw error
    })
    list.add(files, leftOut)
  }
}
