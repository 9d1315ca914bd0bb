/** The icons of the first screen, as SVG paths: not every machine has an emoji font. */

export const PATHS = {
  add: 'M12 5v14M5 12h14',
  photos: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.2v.1',
  recent: 'M12 7v5l3.5 2M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17z',
  albums: 'M4 8h16v12H4zM6 4.5h12',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13',
  camera: 'M4 8h3l1.6-2.5h6.8L17 8h3v11H4zM12 17a3.6 3.6 0 1 0 0-7.2 3.6 3.6 0 0 0 0 7.2z',
  search: 'M15.5 15.5L20 20M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z',
  close: 'M6 6l12 12M18 6L6 18',
} as const

export type IconName = keyof typeof PATHS

export const Icon = ({ name }: { name: IconName }) => <Drawing path={PATHS[name]} />

export function Drawing({ path }: { path: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  )
}
