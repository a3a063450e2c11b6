// Where the person is, in the address: the browser's back button works, and a reload stays where it was.

type Place =
  | { name: 'home' }
  /** `search`: in this conversation; `message`: the one to go to. */
  | { name: 'chat'; conversation: string; details: boolean; search?: boolean; message?: string }
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
  const [name, id, rest, message] = text.replace(/^\/?#\/?/, '').split('/')
  if (name === 'chat' && isId(id)) {
    const place = { name, conversation: id, details: rest === 'details' } as const
    if (rest !== 'search' && rest !== 'at') return place
    return { ...place, search: rest === 'search', ...(isId(message) ? { message } : {}) }
  }
  return name === 'new' || name === 'new-group' || name === 'settings' ? { name } : { name: 'home' }
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f-]{36}$/.test(text)
}

export function print(place: Place): string {
  if (place.name === 'home') return '/#/'
  if (place.name === 'join') return `/join#${place.token}`
  if (place.name !== 'chat') return `/#/${place.name}`
  const { conversation, details, search, message } = place
  const rest = details ? ['details'] : search || message ? [search ? 'search' : 'at', message] : []
  return ['/#/chat', conversation, ...rest].filter(Boolean).join('/')
}
