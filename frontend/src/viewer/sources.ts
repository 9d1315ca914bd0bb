import type { Photo } from '../api'
import { type Source, sources } from '../grid/images'

/**
 * What a browser may decode when zooming in: 200 MB, as for the photo of a phone with 50 megapixels.
 * Tabs on phones are closed if they need much more.
 */
const MAX_ZOOM_PIXELS = 50_000_000
/** The same for a machine with at least 8 GB, which is the most that browsers report: 200 megapixels. */
const MAX_ZOOM_PIXELS_WITH_MEMORY = 210_000_000
const MUCH_MEMORY = 8
/** The longest side of a rendition. */
const MAX_SIDE = 16_383

/** The renditions that the server makes when they are requested: name, width, least short side. */
export interface Demand {
  root: string
  presets: [string, number, number][]
}

/** Return the renditions that exist already, to show at once; the smallest first. */
export const madeSources = (photo: Photo): Source[] => sources(photo, () => false)

/** Return the larger renditions that the server can make, in the order of its presets. */
export function largerSources(photo: Photo, { root, presets }: Demand): Source[] {
  const made = Math.max(0, ...madeSources(photo).map(({ width }) => width))
  const [shortest, longest] = [photo.width, photo.height].sort((a, b) => a - b) as [number, number]
  return presets
    .map(([name, across, shortSide]) => {
      const scale = Math.min(
        1,
        Math.max(across / photo.width, shortSide / shortest),
        MAX_SIDE / longest,
      )
      const url = `${root}/api/photos/${photo.id}/${name}`
      return { width: Math.round(photo.width * scale), url }
    })
    .filter(({ width }) => width > made)
}

/**
 * Return all images to zoom into, up to the original; the smallest first. `gigabytes` is the memory
 * of the machine, which Firefox and Safari don't report.
 */
export function zoomSources(photo: Photo, demand: Demand, gigabytes = deviceMemory()): Source[] {
  const most = gigabytes >= MUCH_MEMORY ? MAX_ZOOM_PIXELS_WITH_MEMORY : MAX_ZOOM_PIXELS
  const images = sources(photo, () => photo.width * photo.height <= most)
  // The sort is stable: an original comes before a rendition of the same width.
  return [...images, ...largerSources(photo, demand)].sort((a, b) => a.width - b.width)
}

const deviceMemory = (): number =>
  (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory ?? 0

/** Return the smallest image with a width, or the largest there is. */
export const atLeast = (images: Source[], width: number): Source | undefined =>
  images.find((image) => image.width >= width) ?? images.at(-1)
