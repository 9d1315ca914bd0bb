const TYPES: Record<string, string> = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  heic: 'image/heic',
  heif: 'image/heif',
  hif: 'image/heif',
}

const typeByExtension = (file: File): string =>
  TYPES[file.name.toLowerCase().split('.').pop() ?? ''] ?? ''

/** Return the Content-Type of a file, or '' if neither the browser nor the extension gives one. */
export const contentType = (file: File): string => file.type || typeByExtension(file)

/** Whether a file's type or extension is an image's. The server decides which formats it accepts. */
export const isImage = (file: File): boolean =>
  file.type.startsWith('image/') || typeByExtension(file) !== ''

/** Whether a file is known to be something else: it has a type, and not an image's. */
export const isNoImage = (file: File): boolean =>
  file.type !== '' && file.type !== 'application/octet-stream' && !isImage(file)
