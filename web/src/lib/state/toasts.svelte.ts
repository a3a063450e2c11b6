// Short words at the edge of the screen. What went wrong stays until it is dismissed or read long enough.

interface Toast {
  id: number
  text: string
  kind: 'said' | 'wrong'
  action?: { label: string; run: () => void }
}

const LIFETIME_MS = 7_000
const TOASTS_MAX = 3

export class Toasts {
  list = $state.raw<Toast[]>([])
  #next = 0

  /** With an action it stays until it is answered. */
  add(text: string, kind: Toast['kind'] = 'said', action?: Toast['action']): void {
    const id = ++this.#next
    this.list = [...this.list.filter((toast) => toast.text !== text), { id, text, kind, action }].slice(-TOASTS_MAX)
    if (action === undefined) setTimeout(() => this.remove(id), LIFETIME_MS)
  }

  remove(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id)
  }
}
