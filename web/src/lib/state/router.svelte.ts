// Where the person is, in the address: the browser's back button works, and a reload stays where it was.

type Place =
  | { name: 'home' }
  | { name: 'chat'; conversation: string; details: boolean }
  | { name: 'new' }
  | { name: 'new-group' }
  /** What an invite link, `/join#token`, leads to. */
  | { name: 'join'; token: string }
  | { name: 'settings' }

export class Router {
  place = $state.raw<Place>(here())

  constructor() {
    if (typeof window !== 'undefined') {
      window.addEventListener('popstate', () => (this.place = here()))
    }
  }

  go(place: Place, replace = false): void {
    const address = print(place)
    if (address === print(this.place)) return
    this.place = place
    if (typeof window === 'undefined') return
    if (replace) history.replaceState(null, '', address)
    else history.pushState(null, '', address)
  }
}

function here(): Place {
  if (typeof window === 'undefined') return { name: 'home' }
  const { pathname, hash } = window.location
  return pathname === '/join' && !hash.startsWith('#/') ? { name: 'join', token: hash.slice(1) } : parse(hash)
}

export function parse(text: string): Place {
  const [name, id, rest] = text.replace(/^\/?#\/?/, '').split('/')
  if (name === 'chat' && id !== undefined && /^[0-9a-f-]{36}$/.test(id)) {
    return { name: 'chat', conversation: id, details: rest === 'details' }
  }
  return name === 'new' || name === 'new-group' || name === 'settings' ? { name } : { name: 'home' }
}

export function print(place: Place): string {
  if (place.name === 'home') return '/#/'
  if (place.name === 'join') return `/join#${place.token}`
  if (place.name !== 'chat') return `/#/${place.name}`
  return `/#/chat/${place.conversation}${place.details ? '/details' : ''}`
}
