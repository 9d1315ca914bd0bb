/** All texts: those of the first screen, and those of the code that is loaded later. */

import { later } from './languages/en'
import { texts as first } from './texts'

export * from './formats-later'
export { animationBadge, daysLeft, pageTitle, photoCount, photoName } from './texts'

export const texts = { ...first, ...later }
