/** Numbers and times of the first screen, in the browser's language. All others: formats-later.ts. */

/** Return the browser's first locale of a language, such as `en-US`; without one, a fallback. */
export function chooseLocale(language: string, wanted: readonly string[]): string {
  // Some browsers add what Intl refuses, as in `en-US@posix`.
  const isVariant = new RegExp(`^${language}(-\\w+)*$`, 'i')
  return wanted.find((locale) => isVariant.test(locale)) ?? (language === 'en' ? 'en-GB' : language)
}

export const LOCALE = chooseLocale(LANGUAGE, navigator.languages)
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
