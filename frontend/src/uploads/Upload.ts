import type { Photo } from '../api'

export type State =
  | 'waiting'
  | 'reserving'
  | 'sending'
  | 'paused'
  | 'stalled'
  | 'checking'
  | 'done'
  | 'twin'
  | 'refused'
  | 'failed'

/** A file on its way. Sizes are bytes, `rate` is bytes a second. */
export interface Upload {
  readonly key: number
  readonly file: File
  state: State
  sent: number
  rate: number
  /** Why it isn't a photo, in plain words. */
  reason: string
  photo?: Photo
}

export const isOver = ({ state }: Upload): boolean =>
  state === 'done' || state === 'twin' || state === 'refused' || state === 'failed'

export const isUnderWay = ({ state }: Upload): boolean =>
  state === 'reserving' ||
  state === 'sending' ||
  state === 'paused' ||
  state === 'stalled' ||
  state === 'checking'
