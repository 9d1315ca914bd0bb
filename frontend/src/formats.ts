/** Numbers and times of the first screen, in the browser's language. All others: formats-later.ts. */

/** The browser's own variant of the page's language, such as `de-AT`: the server has chosen it. */
export const LOCALE = document.documentElement.lang
const INTEGER = new Intl.NumberFormat(LOCALE)
const MONTH = new Intl.DateTimeFormat(LOCALE, { month: 'long', year: 'numeric', timeZone: 'UTC' })
const UTC_TIME = new Intl.DateTimeFormat(LOCALE, {
  dateStyle: 'long',
  timeStyle: 'short',
  timeZone: 'UTC',
})

export const formatInteger = (number: number): string => INTEGER.format(number)

/** `month` is YYYY-MM. */
export const monthAndYear = (month: string): string =>
  MONTH.format(new Date(`${month}-01T00:00:00Z`))

/** The time on the camera's clock, whatever the reader's time zone. */
export const formatTaken = (time: string): string =>
  UTC_TIME.format(new Date(`${time.slice(0, 19)}Z`))
