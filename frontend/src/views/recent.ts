import { allPhotos } from '../source'
import { texts } from '../texts-later'
import type { View } from './views'

const source = allPhotos('added')

/** All photos, the last added first. */
export const open = (): View => ({ title: texts.recent, source })
