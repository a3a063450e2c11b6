// The page's part of the shell: installs the service worker, and offers a new version when one is there.
import { trustedUrl } from './trusted.ts'

/** How often a page that stays open looks for a new version. */
const LOOK_EVERY_MS = 60 * 60 * 1000

/** `offer` is called with a function that takes the new version. */
export async function install(offer: (take: () => void) => void): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  const workers = navigator.serviceWorker
  // Not where the browser keeps nothing, as in some private windows.
  const registration = await workers.register(trustedUrl('/sw.js'), { updateViaCache: 'none' }).catch(() => undefined)
  if (registration === undefined) return
  // The first worker of all takes no page over; only a change from one to another does.
  const hadOne = workers.controller !== null
  workers.addEventListener('controllerchange', () => hadOne && window.location.reload())
  const look = (worker: ServiceWorker | null) => {
    if (worker === null || workers.controller === null) return
    const say = () => worker.state === 'installed' && offer(() => worker.postMessage('take over'))
    worker.addEventListener('statechange', say)
    say()
  }
  look(registration.waiting)
  registration.addEventListener('updatefound', () => look(registration.installing))
  setInterval(() => void registration.update().catch(() => {}), LOOK_EVERY_MS)
}
