/** The data that the server puts into the page. */

export interface Month {
  month: string
  count: number
  after: string
}

const element = document.getElementById('gallery') as HTMLElement
const data = element.dataset

export const bootstrap = {
  element,
  root: data.root ?? '',
  /** Null if the page shows another view than that of all photos. */
  months: JSON.parse(document.getElementById('months')?.textContent || 'null') as Month[] | null,
  maxTitle: Number(data.maxTitle),
  maxDescription: Number(data.maxDescription),
  /** In the address that shared photos come to; empty without authentication. */
  shareKey: data.shareKey,
  signedIn: data.signedIn === 'yes',
  /** Name, width and minimum short side of the renditions that are made when they are requested. */
  presets: JSON.parse(data.presets || '[]') as [string, number, number][],
  /** The server's messages in the language of the page, by their English text or the error's code. */
  problems: JSON.parse(data.problems || '{}') as Record<string, string>,
}
