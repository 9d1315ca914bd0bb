/** What the page says of the service that served it. */

export interface Month {
  month: string
  count: number
  after: string
}

const element = document.getElementById('gallery') as HTMLElement
const said = element.dataset

export const house = {
  element,
  root: said.root ?? '',
  /** The first page's address, which the browser was told to get while the program came. */
  firstPage: `${said.root}/api/photos?limit=60&order=taken`,
  months: JSON.parse(document.getElementById('months')?.textContent || '[]') as Month[],
  maxTitle: Number(said.maxTitle),
  maxDescription: Number(said.maxDescription),
  signedIn: said.signedIn === 'yes',
}

export const ACCEPT =
  'image/jpeg,image/png,image/gif,image/webp,image/avif,image/heic,image/heif,.heic,.hif'
