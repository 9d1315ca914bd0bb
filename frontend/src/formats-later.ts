/** All numbers and times: those of the first screen, and those of the code that is loaded later. */

import { LOCALE } from './formats'

export * from './formats'

const MONTH = new Intl.DateTimeFormat(LOCALE, { month: 'long', timeZone: 'UTC' })
const DAY = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'long' })
const TIME = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'long', timeStyle: 'short' })
const WHOLE = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const TENTHS = new Intl.NumberFormat(LOCALE, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
})
const PERCENT = new Intl.NumberFormat(LOCALE, { style: 'percent', roundingMode: 'floor' })

/** `month` is YYYY-MM. */
export const monthName = (month: string): string => MONTH.format(new Date(`${month}-01T00:00:00Z`))

export const formatDay = (time: string): string => DAY.format(new Date(time))

export const formatTime = (time: string): string => TIME.format(new Date(time))

/** The offset of a time as it ends with, such as `+02:00`; empty if it has none. */
export const offsetOf = (time: string | null): string =>
  /(Z|[+-]\d\d:\d\d)$/.exec(time ?? '')?.[0] ?? ''

export const formatOffset = (offset: string): string =>
  offset === 'Z' || offset === '+00:00' ? 'UTC' : `UTC${offset.replace('-', '−')}`

export const formatTenths = (number: number): string => TENTHS.format(number)

/** `part` is from 0 to 1. */
export const formatPercent = (part: number): string => PERCENT.format(part)

export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1_000_000) return `${WHOLE.format(bytes / 1000)} KB`
  return `${(bytes < 10_000_000 ? TENTHS : WHOLE).format(bytes / 1_000_000)} MB`
}

export const formatRate = (bytesPerSecond: number): string => `${formatSize(bytesPerSecond)}/s`
