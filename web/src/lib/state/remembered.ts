// Keeps the snapshot of the list in step with the list: not at every change, but before the page goes.
import { drop, keep, type Snapshot } from '../storage/snapshot.ts'

/** A busy list is written no more often. */
const EVERY_MS = 2_000

export class Remembered {
  #next: Snapshot | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    globalThis.document?.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.#write())
  }

  set(snapshot: Snapshot): void {
    this.#next = snapshot
    this.#timer ??= setTimeout(() => this.#write(), EVERY_MS)
  }

  drop(): void {
    this.#next = undefined
    // A browser without IndexedDB has none.
    drop().catch(() => {})
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const next = this.#next
    this.#next = undefined
    if (next !== undefined) keep(next).catch(() => {})
  }
}
