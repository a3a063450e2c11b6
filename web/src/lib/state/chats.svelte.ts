// The list of conversations. News only marks it as old; however much happens, it is read again at most once at a time.
import { SvelteMap } from 'svelte/reactivity'
import type { Answer, News } from '../core/messages.ts'
import { take, tagOf } from '../core/reply.ts'
import type { Command, Conversation } from '../core/types.ts'

const CHANGES = new Set(['message_added', 'message_changed', 'message_removed', 'ticks_changed', 'conversation_changed', 'presence_changed', 'contacts_changed', 'caught_up', 'restored'])
/** Somebody who was looked up; the conversation is made with the first message. */
interface Stranger {
  account: string
  title: string
}

/** Between two readings while a lot happens. */
const PAUSE_MS = 120

export class Chats {
  /** Until it was read, as it was last time, if the page knows. */
  list = $state.raw<Conversation[]>([])
  /** False until it was read for the first time. */
  read = $state(false)
  readonly unread = $derived(this.list.reduce((sum, { unread }) => sum + unread, 0))
  /** By conversation. */
  readonly strangers = new SvelteMap<string, Stranger>()
  readonly #ask: (command: Command) => Promise<Answer>
  readonly #changed: () => void
  #old = false
  #reading: Promise<void> | undefined

  /** `changed` is called when the list was read. */
  constructor(ask: (command: Command) => Promise<Answer>, changed: () => void) {
    this.#ask = ask
    this.#changed = changed
  }

  find(conversation: string): Conversation | undefined {
    return this.list.find((chat) => chat.conversation === conversation)
  }

  heard(news: News): void {
    if (CHANGES.has(tagOf(news))) void this.refresh()
  }

  clear(): void {
    this.list = []
    this.read = false
    this.strangers.clear()
  }

  /** Resolves once the list is as it was when this was asked, or newer. */
  refresh(): Promise<void> {
    this.#old = true
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #read(): Promise<void> {
    while (this.#old) {
      this.#old = false
      const answer = await this.#ask('conversations')
      const list = answer.well ? take(answer.reply, 'conversations') : undefined
      if (list !== undefined) {
        this.list = list
        this.read = true
        this.#changed()
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}
