// How this person wants to be called: told to the core when it is opened, and by it to the people they write to.
import type { App } from './app.svelte.ts'

const NAME = 'tidings.name'

export function ownName(): string {
  return localStorage.getItem(NAME) ?? ''
}

/** Takes effect with the next opening of the core, so it opens anew. */
export function setName(app: App, name: string): void {
  if (name === ownName()) return
  if (name === '') localStorage.removeItem(NAME)
  else localStorage.setItem(NAME, name)
  app.restart()
}
