/** Return when a file was modified, with this browser's offset from UTC; undefined if unknown. */
export function modifiedAt(file: Pick<File, 'lastModified'>): string | undefined {
  const minutes = -new Date(file.lastModified).getTimezoneOffset()
  const local = new Date(file.lastModified + minutes * 60_000)
  // Some clocks and some file systems are far off.
  if (!(local.getFullYear() >= 1980 && local.getFullYear() < 9999)) return undefined
  const digits = (number: number) => String(Math.abs(number)).padStart(2, '0')
  const offset = `${digits(Math.trunc(minutes / 60))}:${digits(minutes % 60)}`
  return `${local.toISOString().slice(0, -1)}${minutes < 0 ? '-' : '+'}${offset}`
}
