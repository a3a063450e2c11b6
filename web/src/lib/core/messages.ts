// What the page and its worker say to each other: command, reply, changed. The worker knows no verb.
import type { ClientError, Event, Reply } from './types.ts'

/** From the page. `again`: may be asked a second time if the answer was lost (it only reads). */
export interface CommandMessage {
  kind: 'command'
  id: number
  /** JSON of a `Command`. */
  command: string
  again: boolean
}

/** From the page, whose hint it is: workers are not told in every browser. */
export interface NetworkMessage {
  kind: 'network'
  on: boolean
}

/** To the page. `value` is the JSON of a `Reply` or a `Failure`. */
export interface ReplyMessage {
  kind: 'reply'
  id: number
  well: boolean
  value: string
}

/** To the page. `event` is the JSON of `News`. */
export interface ChangedMessage {
  kind: 'changed'
  event: string
}

/** How the engine under this page is. */
export type Engine =
  | 'starting'
  | 'ready'
  /** Another tab leads, and does not answer: the browser put it to sleep. */
  | 'asleep'
  /** Cannot run here; `detail` says why. */
  | { failed: Refusal; detail: string }
  /** Came to a sudden end; the page starts another. */
  | { crashed: string }

/** What a browser may lack, and what may go wrong. */
export type Refusal = 'no_storage' | 'no_locks' | 'no_wasm' | 'not_loaded' | 'storage_full' | 'broken'

/** What the page hears of. */
export type News = Event | { engine: Engine }

/**
 * Why a command failed. `lost`: the tab that led went away; whether it was done is unknown. `not_understood`: the tab
 * that leads is of another version.
 */
export type Failure = ClientError | 'lost' | 'not_understood'

export type Answer = { well: true; reply: Reply } | { well: false; failure: Failure }
