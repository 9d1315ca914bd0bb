/*
 * Keeps the photos that other apps share with the installed gallery until it opens. The worker is
 * registered for the address of the share target alone: it sees no other request.
 */

const ROOT = new URL('.', location).pathname
const KEY = new URL(location).searchParams.get('key')

addEventListener('install', () => skipWaiting())

addEventListener('fetch', (event) => {
  const { request } = event
  // Pages of any site can post to this address, but only the manifest of this site has the key.
  const isShared = KEY && new URL(request.url).searchParams.get('key') === KEY
  if (request.method === 'POST' && isShared) event.respondWith(keep(request))
})

async function keep(request) {
  const photos = (await request.formData()).getAll('photos').filter((each) => each instanceof File)
  const cache = await caches.open(`safelight: shared with ${ROOT}`)
  for (const photo of photos) {
    const headers = {
      'Content-Type': photo.type,
      'X-Name': encodeURIComponent(photo.name),
      'X-Modified': photo.lastModified,
    }
    await cache.put(`${ROOT}share/${crypto.randomUUID()}`, new Response(photo, { headers }))
  }
  return Response.redirect(ROOT, 303)
}
