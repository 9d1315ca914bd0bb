import { bootstrap } from '../bootstrap'
import { importAgain, loadCode, serverState } from '../later'
import type { Navigation } from '../navigation'
import { texts } from '../texts'
import type { UploadList } from './upload-list'

/** What was chosen, pasted or dropped. A drop of folders has entries. */
export type Chosen = File[] | FileSystemEntry[]

/** Where the number of uploads is stored that a page did not finish. */
export const INTERRUPTED_KEY = `safelight: uploads in ${bootstrap.root}/`
const RETRY_TIME = 5_000

/** Passes files to the upload list, whose code is loaded with the first of them. */
export class Uploader {
  #list: UploadList | undefined
  /** Files that wait for the code. */
  #waiting: Chosen[] = []

  constructor(
    readonly navigation: Navigation,
    readonly element: HTMLElement,
  ) {}

  add(chosen: Chosen): void {
    if (chosen.length === 0) return
    this.#waiting.push(chosen)
    void this.#start()
  }

  async #start(): Promise<void> {
    const { toasts } = this.navigation
    const code = await loadCode(loadStart, toasts, () => void this.#start(), [
      texts.filesKept,
      texts.filesOutdated,
    ])
    if (!code) {
      setTimeout(() => this.#waiting.length > 0 && void this.#start(), RETRY_TIME)
      return
    }
    this.#list ??= code.start(this.navigation, this.element)
    for (const chosen of this.#waiting.splice(0)) void code.addTo(this.#list, chosen)
  }
}

/** Load the code once the server answers: the browser remembers which files it could not load. */
async function loadStart() {
  if ((await serverState()) === 'away') throw new Error()
  return importAgain(() => import('./start'))
}
