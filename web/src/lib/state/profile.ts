// How this person wants to be called: told to the core when it is opened, and by it to the people they write to.
import type { App } from './app.svelte.ts'

const NAME = 'tidings.name'

export function ownName(): string {
  return localStorage.getItem(NAME) ?? ''
}

/** This browser once had somebody's messages: if they are gone without a logout, the browser threw them away. */
const KNOWN = 'tidings.known'

export const known = {
  is: (): boolean => localStorage.getItem(KNOWN) !== null,
  set: (on: boolean): void => (on ? localStorage.setItem(KNOWN, 'yes') : localStorage.removeItem(KNOWN)),
}

/** Whose page this is, once it is known. */
export const self = { account: '' }

/** Takes effect with the next opening of the core, so it opens anew. */
export function setName(app: App, name: string): void {
  if (name === ownName()) return
  keepName(name)
  app.restart()
}

export function keepName(name: string): void {
  if (name === '') localStorage.removeItem(NAME)
  else localStorage.setItem(NAME, name)
}
