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
  /** Must equal the address that the page preloads. */
  firstPage: `${data.root}/api/photos?limit=60&order=taken&links=parts`,
  months: JSON.parse(document.getElementById('months')?.textContent || '[]') as Month[],
  maxTitle: Number(data.maxTitle),
  maxDescription: Number(data.maxDescription),
  signedIn: data.signedIn === 'yes',
  /** Name, width and minimum short side of the renditions that are made when they are requested. */
  presets: JSON.parse(data.presets || '[]') as [string, number, number][],
}
