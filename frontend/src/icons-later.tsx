/** All icons: those of the first screen, and those of the code that is loaded later. */

import { Drawing, PATHS as FIRST_PATHS } from './icons'

const PATHS = {
  ...FIRST_PATHS,
  down: 'M6 10l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  info: 'M12 11v6M12 7.5v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  delete: 'M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  keyboard: 'M3 6.5h18v11H3zM7 10.2v.1M10.3 10.2v.1M13.7 10.2v.1M17 10.2v.1M8 14h8',
  devices: 'M4 5h13v9H4zM2.5 17.5h9M15 10h6v9h-6z',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5.5v13l10-6.5z',
  retry: 'M19 12a7 7 0 1 1-2.2-5.1L19 9M19 4.5V9h-4.5',
  rotate: 'M4 11h9.5v9.5H4zM8 6h5.5a5.5 5.5 0 0 1 5.5 5.5V13M16 10.5l3 3 3-3',
  remove: 'M5 12h14',
  cover: 'M12 4l2.5 5.2 5.7.8-4.1 4 1 5.6-5.1-2.7-5.1 2.7 1-5.6-4.1-4 5.7-.8z',
  first: 'M5 5v14M19 12H9M14 7l-5 5 5 5',
  earlier: 'M19 12H5M11 6l-6 6 6 6',
  later: 'M5 12h14M13 6l6 6-6 6',
  last: 'M19 5v14M5 12h10M10 7l5 5-5 5',
  done: 'M5 12.5l4.5 4.5L19 7.5',
  alert: 'M12 8v5M12 16.4v.1M12 3.5L2.8 19.5h18.4z',
} as const

export type IconName = keyof typeof PATHS

export const Icon = ({ name }: { name: IconName }) => <Drawing path={PATHS[name]} />
