// The shell's service worker: the files of one version of the page, so that it opens without a network.
//
// A new version is fetched whole while the old one runs, and waits. The page offers it; when the person takes it, it
// takes over and every tab reloads. So no tab ever has files of two versions.
const VERSION = '__VERSION__'
const FILES = __FILES__
const CACHE = `shell-${VERSION}`

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map((path) => new Request(path, { cache: 'no-cache' })))))
})

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith('shell-') && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('message', (event) => {
  if (event.data === 'take over') self.skipWaiting()
})

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return
  const path = event.request.mode === 'navigate' && (url.pathname === '/' || url.pathname === '/join') ? '/' : url.pathname
  if (!FILES.includes(path)) return
  event.respondWith(
    caches.open(CACHE).then(async (cache) => (await cache.match(path, { ignoreVary: true })) ?? fetch(event.request)),
  )
})
