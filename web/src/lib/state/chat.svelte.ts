// One conversation on screen: its messages as far as they were scrolled to, and what the person does in it.
import type { Answer, News } from '../core/messages.ts'
import { take } from '../core/reply.ts'
import type { Command, Message, Peer } from '../core/types.ts'

const PAGE = 60
/** Ticks change near the end. */
const REREAD_MAX = 200
/** The core gives at most so many at once. */
const PAGE_MAX = 500
/** However far somebody scrolls, no more is held: what is far from the screen is read again when it comes near. */
const HELD_MAX = 1_000

export class Chat {
  readonly conversation: string
  readonly peer: Peer
  /** Ascending, without a gap. */
  messages = $state.raw<Message[]>([])
  /** False until the first page is there. */
  read = $state(false)
  /** Everything older is here too. */
  whole = $state(false)
  /** What is here does not reach to the newest: the person went to an old message. */
  apart = $state(false)
  replyTo = $state.raw<Message>()
  editing = $state.raw<Message>()
  readonly #ask: (command: Command) => Promise<Answer>
  #loading = false
  #old = false
  #refreshing = false
  /** Of the stretch that is here: what was asked for another one comes too late. */
  #stretch = 0

  constructor(conversation: string, peer: Peer, ask: (command: Command) => Promise<Answer>) {
    this.conversation = conversation
    this.peer = peer
    this.#ask = ask
  }

  /** The newest page; again after news. Of a longer stretch that is here, as much as may have changed. */
  async refresh(): Promise<void> {
    this.#old = true
    if (this.#refreshing) return
    this.#refreshing = true
    while (this.#old && !this.apart) {
      this.#old = false
      const limit = Math.min(Math.max(this.messages.length, PAGE), REREAD_MAX)
      const stretch = this.#stretch
      const page = await this.#page({ messages: { of: this.peer, before: null, limit } })
      if (page === undefined) break
      if (stretch !== this.#stretch) continue
      this.messages = merge(this.messages, page)
      if (page.length < limit) this.whole = true
      this.read = true
    }
    this.#refreshing = false
  }

  async older(): Promise<void> {
    if (this.whole || !this.read) return
    // What is not sent yet has a position beyond what a number holds; there is always something sent before it, or the
    // page was too small.
    const first = this.messages.find(({ position }) => Number.isSafeInteger(position.seq))
    const limit = first === undefined ? PAGE_MAX : PAGE
    const page = await this.#more({ messages: { of: this.peer, before: first?.position ?? null, limit } })
    if (page === undefined) return
    if (page.length < limit) this.whole = true
    if (this.messages.length <= HELD_MAX) return
    this.messages = this.messages.slice(0, HELD_MAX)
    // The newest page, if it is being read, does not stand beside these any more.
    this.#stretch += 1
    this.apart = true
  }

  /** Towards the newest, from an old message that the person went to. */
  async newer(): Promise<void> {
    const last = this.messages.findLast(({ position }) => Number.isSafeInteger(position.seq))
    if (!this.apart || last === undefined) return
    const page = await this.#more({ messages_after: { of: this.peer, after: last.position, limit: PAGE } })
    if (page === undefined) return
    if (this.messages.length > HELD_MAX) {
      this.messages = this.messages.slice(-HELD_MAX)
      this.whole = false
    }
    if (page.length === PAGE) return
    this.apart = false
    await this.refresh()
  }

  /** Back to the newest. */
  async newest(): Promise<void> {
    if (!this.apart) return
    this.#replace([])
    this.apart = false
    await this.refresh()
  }

  /** Makes it one of the messages that are here; false if there is no such message any more. */
  async find(message: string): Promise<boolean> {
    if (this.#has(message)) return true
    const page = await this.#page({ messages_around: { message, limit: PAGE } })
    if (page?.[0]?.conversation !== this.conversation) return false
    this.apart = true
    this.#replace(page)
    return this.#has(message)
  }

  heard(news: News): void {
    const added = take(news, 'message_added')
    if (added?.conversation === this.conversation) void this.refresh()
    const changed = take(news, 'message_changed')
    if (changed?.conversation === this.conversation) void this.#reread(changed.message)
    const removed = take(news, 'message_removed')
    if (removed?.conversation === this.conversation) this.#drop(removed.message)
    const ticks = take(news, 'ticks_changed')
    if (ticks?.conversation === this.conversation) void this.refresh()
    if (news === 'caught_up') void this.refresh()
  }

  #has(message: string): boolean {
    return this.messages.some((other) => other.message === message)
  }

  #replace(messages: Message[]): void {
    this.#stretch += 1
    this.messages = messages
    this.whole = false
  }

  #drop(message: string): void {
    this.messages = this.messages.filter((other) => other.message !== message)
    if (this.replyTo?.message === message) this.replyTo = undefined
    if (this.editing?.message === message) this.editing = undefined
  }

  /** One at a time, and put to what is here. */
  async #more(command: Command): Promise<Message[] | undefined> {
    if (this.#loading) return undefined
    this.#loading = true
    const stretch = this.#stretch
    const page = await this.#page(command)
    this.#loading = false
    if (page === undefined || stretch !== this.#stretch) return undefined
    this.messages = merge(this.messages, page)
    return page
  }

  /** Reads one message again; it may have moved. What is not here would stand alone. */
  async #reread(message: string): Promise<void> {
    const answer = await this.#ask({ message: { id: message } })
    const fresh = answer.well ? take(answer.reply, 'message') : undefined
    if (fresh !== undefined && this.#has(message)) this.messages = merge(this.messages, [fresh])
  }

  async #page(command: Command): Promise<Message[] | undefined> {
    const answer = await this.#ask(command)
    if (!answer.well) {
      // A conversation that is not made yet has no messages.
      this.read = true
      return undefined
    }
    return take(answer.reply, 'messages')
  }
}

/** Both, ascending, each message once and as `fresh` has it. */
export function merge(known: Message[], fresh: Message[]): Message[] {
  if (known.length === 0) return fresh
  const byId = new Map(fresh.map((message) => [message.message, message]))
  const kept = known.filter(({ message }) => !byId.has(message))
  return [...kept, ...fresh].sort(order)
}

function order(a: Message, b: Message): number {
  return a.position.seq - b.position.seq || a.position.local - b.position.local
}
