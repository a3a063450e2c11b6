// Where the person is, in the address: the browser's back button works, and a reload stays where it was.

export type Place =
  | { name: 'home' }
  | { name: 'chat'; conversation: string; details: boolean }
  | { name: 'new' }
  | { name: 'settings' }

export class Router {
  place = $state.raw<Place>(parse(hash()))

  constructor() {
    if (typeof window !== 'undefined') {
      window.addEventListener('popstate', () => (this.place = parse(hash())))
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

function hash(): string {
  return typeof window === 'undefined' ? '' : window.location.hash
}

export function parse(text: string): Place {
  const [name, id, rest] = text.replace(/^#\/?/, '').split('/')
  if (name === 'chat' && id !== undefined && /^[0-9a-f-]{36}$/.test(id)) {
    return { name: 'chat', conversation: id, details: rest === 'details' }
  }
  return name === 'new' || name === 'settings' ? { name } : { name: 'home' }
}

export function print(place: Place): string {
  if (place.name === 'home') return '#/'
  if (place.name !== 'chat') return `#/${place.name}`
  return `#/chat/${place.conversation}${place.details ? '/details' : ''}`
}
