import { bootstrap } from '../bootstrap'
import type { Uploader } from './uploader'

const { root, shareKey } = bootstrap
/** Where share-worker.js keeps shared photos. */
const CACHE = `safelight: shared with ${root}/`

/** Upload the photos that were shared with the installed app, and let it receive more. */
export async function receive(uploader: Uploader): Promise<void> {
  // Browsers have neither on plain HTTP, nor is a page installed from there.
  if (!globalThis.caches || !navigator.serviceWorker || !shareKey) return
  const files = await takeShared()
  uploader.add(files)
  await navigator.serviceWorker.register(`${root}/share-worker.js?key=${shareKey}`, {
    scope: `${root}/share`,
    updateViaCache: 'none',
  })
}

async function takeShared(): Promise<File[]> {
  if (!(await caches.has(CACHE))) return []
  const cache = await caches.open(CACHE)
  const files: File[] = []
  for (const request of await cache.keys()) {
    const response = await cache.match(request)
    const blob = await response?.blob()
    // Another window may take the photos at the same time.
    if (!response || !blob || !(await cache.delete(request))) continue
    const { headers } = response
    const name = decodeURIComponent(headers.get('X-Name') ?? '')
    const lastModified = Number(headers.get('X-Modified'))
    files.push(new File([blob], name, { type: blob.type, lastModified }))
  }
  return files
}
