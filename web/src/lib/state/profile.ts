// How this person wants to be called.
import type { App } from './app.svelte.ts'
import type { Command } from '../core/types.ts'

export async function setName(app: App, name: string): Promise<void> {
  await app.do({ set_profile: { name } } as unknown as Command)
}
