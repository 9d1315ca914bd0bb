const MAX_HASHED_BYTES = 16 * 1024 * 1024

/** Return lower-case hex; undefined for large files, and on pages without a secure context. */
export async function sha256(file: File): Promise<string | undefined> {
  if (file.size > MAX_HASHED_BYTES || !isSecureContext) return undefined
  const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
