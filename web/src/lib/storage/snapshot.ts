// The top of the list of conversations as it was last on screen, so that the page can paint it before the core is awake.
// Sealed with the key that wraps the database's: it lies there no more open than the database does, and is noise once
// that key is forgotten (docs/web.md, «At rest»).
import { take } from '../core/reply.ts'
import type { Conversation, Status } from '../core/types.ts'
import { read, remove, write } from './vault.ts'

export interface Snapshot {
  status: Status
  /** The first of the list. */
  chats: Conversation[]
}

/** Whoever has more finds the rest in a moment. */
const CHATS_MAX = 500
/** What a row has room for. */
const TEXT_MAX = 200
const IV_BYTES = 12
/** What the page knew of the core's types when it wrote: a page that knows others does not read it. */
const FORM = __TYPES__

/** Undefined if there is none that this page can read. */
export async function recall(now = Date.now()): Promise<Snapshot | undefined> {
  try {
    const { database, snapshot } = await read('database', 'snapshot')
    if (database === undefined || snapshot?.form !== FORM) return undefined
    const plain = await crypto.subtle.decrypt(cipher(snapshot.iv), database.wrapping, snapshot.sealed)
    const { status, chats } = JSON.parse(new TextDecoder().decode(plain)) as Snapshot
    return { status, chats: chats.map((chat) => later(chat, now)) }
  } catch {
    // The list comes from the database in a moment anyway.
    return undefined
  }
}

export async function keep({ status, chats }: Snapshot): Promise<void> {
  const { database } = await read('database')
  if (database === undefined) return
  const plain = new TextEncoder().encode(JSON.stringify({ status, chats: chats.slice(0, CHATS_MAX).map(short) }))
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const sealed = await crypto.subtle.encrypt(cipher(iv), database.wrapping, plain)
  // If the key was forgotten meanwhile, nobody reads this.
  await write('snapshot', { form: FORM, iv, sealed })
}

export function drop(): Promise<void> {
  return remove('snapshot')
}

/** What does not hold any more when time has passed is left out. */
export function later(chat: Conversation, now: number): Conversation {
  const gone = chat.last !== null && chat.last.expires_ms != null && chat.last.expires_ms <= now
  return { ...chat, presence: null, last: gone ? null : chat.last }
}

/** Of long texts, what is seen. */
export function short(chat: Conversation): Conversation {
  const text = chat.last === null ? undefined : take(chat.last.body, 'text')?.text
  if (chat.last === null || text === undefined || text.length <= TEXT_MAX) return chat
  return { ...chat, last: { ...chat.last, body: { text: { text: text.slice(0, TEXT_MAX) } } } }
}

function cipher(iv: Uint8Array<ArrayBuffer>): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode('snapshot') }
}
