// Who is typing where. A signal holds for a while and is forgotten unless it is repeated.
import { SvelteMap } from 'svelte/reactivity'
import type { News } from '../core/messages.ts'
import { take } from '../core/reply.ts'

/** As `TYPING_LIFETIME_MS` of the core. */
const LIFETIME_MS = 6_000

export class Typing {
  /** By conversation and account. */
  readonly #until = new SvelteMap<string, ReturnType<typeof setTimeout>>()

  /** The accounts that type in it now. */
  who(conversation: string): string[] {
    return [...this.#until.keys()]
      .filter((key) => key.startsWith(`${conversation} `))
      .map((key) => key.slice(conversation.length + 1))
  }

  heard(news: News): void {
    const typing = take(news, 'typing')
    if (typing !== undefined) this.#set(`${typing.conversation} ${typing.account}`, typing.on)
    const added = take(news, 'message_added')
    // Who has sent is not typing any more.
    if (added === undefined || added.own) return
    for (const account of this.who(added.conversation)) this.#set(`${added.conversation} ${account}`, false)
  }

  #set(key: string, on: boolean): void {
    clearTimeout(this.#until.get(key))
    if (on) this.#until.set(key, setTimeout(() => this.#until.delete(key), LIFETIME_MS))
    else this.#until.delete(key)
  }
}
