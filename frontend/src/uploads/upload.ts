import type { Photo } from '../api'

export type State =
  | 'waiting'
  | 'reserving'
  | 'sending'
  | 'paused'
  | 'stalled'
  | 'checking'
  | 'done'
  | 'duplicate'
  | 'refused'
  | 'failed'

/** The upload of one file. Sizes are in bytes, `rate` is in bytes per second. */
export interface Upload {
  readonly key: number
  readonly file: File
  state: State
  sent: number
  rate: number
  /** Why it was refused or failed. */
  reason: string
  /** Whether "Try again" makes sense: false if the file is the reason. */
  retryable: boolean
  photo?: Photo
}

export const isFinished = ({ state }: Upload): boolean =>
  state === 'done' || state === 'duplicate' || state === 'refused' || state === 'failed'

export const isActive = ({ state }: Upload): boolean =>
  state === 'reserving' ||
  state === 'sending' ||
  state === 'paused' ||
  state === 'stalled' ||
  state === 'checking'
