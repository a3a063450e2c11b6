// The page's end of the wire to its worker: a command goes out, its reply is awaited, news is heard. If the worker comes
// to a sudden end, another is started; what only reads is asked again.
import type { Answer, ChangedMessage, CommandMessage, Engine, Failure, NetworkMessage, News, ReplyMessage } from './messages.ts'
import type { Command, Reply } from './types.ts'

const RESTART_MS = 300
/** Restarts in a row before it is given up. */
const RESTARTS_MAX = 5

interface Waiting {
  message: CommandMessage
  /** Handed to a worker; while there is none, it was not. */
  posted: boolean
  done: (answer: Answer) => void
}

/** What only reads may be asked twice. */
const READS = new Set([
  'status', 'conversations', 'messages', 'messages_after', 'messages_around', 'search', 'message', 'message_info', 'group_info', 'join_requests',
  'starred', 'pinned', 'devices', 'await_link', 'safety_number', 'resolve', 'presence', 'privacy', 'profile', 'picture', 'backup_status', 'contacts', 'read_vcard', 'lock_status', 'open_chat', 'close_chat',
])

export class CoreClient {
  readonly #make: () => Worker
  readonly #heard: (news: News) => void
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #up = false
  #nextId = 0
  #restarts = 0

  constructor(make: () => Worker, heard: (news: News) => void) {
    this.#make = make
    this.#heard = heard
    globalThis.addEventListener?.('online', () => this.#network(true))
    globalThis.addEventListener?.('offline', () => this.#network(false))
  }

  /** Starts the worker. What was asked before waits for it. */
  start(): void {
    if (this.#worker === undefined) this.#begin()
  }

  /** Asks the core. Never rejects: what went wrong is part of the answer. */
  ask(command: Command): Promise<Answer> {
    const id = ++this.#nextId
    const verb = typeof command === 'string' ? command : (Object.keys(command)[0] ?? '')
    const message: CommandMessage = { kind: 'command', id, command: JSON.stringify(command), again: READS.has(verb) }
    return new Promise((done) => {
      this.#waiting.set(id, { message, posted: this.#up, done })
      if (this.#up) this.#worker?.postMessage(message)
    })
  }

  /** Starts another worker: with it, what the worker was given at its start changes. */
  restart(): void {
    this.#restart('asked for')
  }

  #network(on: boolean): void {
    this.#worker?.postMessage({ kind: 'network', on } satisfies NetworkMessage)
  }

  #begin(): void {
    const worker = this.#made()
    this.#worker = worker
    this.#up = true
    for (const [id, call] of [...this.#waiting]) {
      if (call.message.again || !call.posted) {
        call.posted = true
        worker.postMessage(call.message)
      } else {
        this.#waiting.delete(id)
        call.done({ well: false, failure: 'lost' })
      }
    }
  }

  #made(): Worker {
    const worker = this.#make()
    worker.onmessage = ({ data }: MessageEvent<ReplyMessage | ChangedMessage>) => {
      if (data.kind === 'reply') this.#answer(data)
      else this.#news(JSON.parse(data.event) as News)
    }
    worker.onerror = (event) => this.#restart(event.message)
    return worker
  }

  #answer({ id, well, value }: ReplyMessage): void {
    const call = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (well) call?.done({ well, reply: JSON.parse(value) as Reply })
    else call?.done({ well, failure: JSON.parse(value) as Failure })
  }

  #news(news: News): void {
    const engine: Engine | undefined = typeof news === 'object' && 'engine' in news ? news.engine : undefined
    if (engine === 'ready') this.#restarts = 0
    if (typeof engine === 'object' && 'crashed' in engine) return this.#restart(engine.crashed)
    this.#heard(news)
  }

  #restart(why: string): void {
    if (!this.#up) return
    this.#up = false
    this.#worker?.terminate()
    this.#restarts += 1
    if (this.#restarts > RESTARTS_MAX) {
      this.#heard({ engine: { failed: 'broken', detail: why } })
      return
    }
    this.#heard({ engine: 'starting' })
    setTimeout(() => this.#begin(), RESTART_MS * this.#restarts)
  }
}
