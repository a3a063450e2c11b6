// The worker of one tab. One tab leads: the one whose worker holds the Web Lock opens the database and hosts the core.
// The workers of the other tabs pass commands on to it, and hear from it, over a BroadcastChannel; when the leading tab
// goes, the next worker in the queue of the lock leads.
//
// A database in OPFS has one owner. A tab that does not lead never opens it, whatever happens.
import type { CommandMessage, Engine as State, NetworkMessage, ReplyMessage, Refusal } from '../lib/core/messages.ts'
import init, { Core } from './core/tidings_browser.js'
import wasm from './core/tidings_browser_bg.wasm?url'
import { Engine } from './engine.ts'
import { forget, loadOrMake } from './key.ts'

/** `name` is the person's own, as they want to be called. */
declare const self: DedicatedWorkerGlobalScope

const LOCK = 'tidings-core'
const CHANNEL = 'tidings-core'
const FOLDER = 'tidings'
/** A leader answers within this, or it sleeps. */
const LEADER_ANSWERS_MS = 3_000
/** Files that a tab had open when it was killed are free again after a moment. */
const OPEN_ATTEMPTS_MAX = 8
const OPEN_WAIT_MS = 150

/** Among the workers. */
type Word =
  | { kind: 'who leads' }
  | { kind: 'i take over' }
  | { kind: 'i lead'; term: string }
  | { kind: 'ask'; tab: string; id: number; command: string }
  | { kind: 'answer'; tab: string; id: number; well: boolean; value: string }
  | { kind: 'event'; event: string }

/** Begun at once, while it is settled who leads. */
const compiled = WebAssembly.compileStreaming(fetch(wasm))
// Whoever leads hears of a failure; for the others it does not matter.
compiled.catch(() => {})

const tab = crypto.randomUUID()
const channel = new BroadcastChannel(CHANNEL)
/** Of this page, not answered yet. */
const waiting = new Map<number, CommandMessage>()
/** Of all tabs, under way in the core: whose and which, by the core's id. */
const asked = new Map<number, { tab: string; id: number }>()
let nextId = 0
let engine: Engine | undefined
/** This worker holds the lock. */
let leading = false
/** Whom this tab follows. */
let leader: string | undefined
let patience: ReturnType<typeof setTimeout> | undefined

self.onmessage = ({ data }: MessageEvent<CommandMessage | NetworkMessage>) => {
  if (data.kind === 'network') return data.on ? engine?.networkChanged() : engine?.networkLost()
  waiting.set(data.id, data)
  pass(data)
}

function pass({ id, command }: CommandMessage): void {
  if (engine !== undefined) ask(tab, id, command)
  else if (leader !== undefined) {
    say({ kind: 'ask', tab, id, command })
    expectAnswer()
  }
  // Else it waits until somebody leads.
}

channel.onmessage = ({ data }: MessageEvent<Word>) => {
  if (engine !== undefined) {
    if (data.kind === 'who leads') say({ kind: 'i lead', term: tab })
    if (data.kind === 'ask') ask(data.tab, data.id, data.command)
    return
  }
  heardFromLeader()
  if (data.kind === 'i take over') orphaned()
  if (data.kind === 'i lead') follow(data.term)
  if (data.kind === 'answer' && data.tab === tab) answer(data.id, data.well, data.value)
  if (data.kind === 'event') self.postMessage({ kind: 'changed', event: data.event })
}

function say(word: Word): void {
  channel.postMessage(word)
}

function tell(state: State): void {
  self.postMessage({ kind: 'changed', event: JSON.stringify({ engine: state }) })
}

function answer(id: number, well: boolean, value: string): void {
  if (waiting.delete(id)) self.postMessage({ kind: 'reply', id, well, value } satisfies ReplyMessage)
}

// --- following

function follow(term: string): void {
  if (leader === term) return
  if (leader !== undefined) orphaned()
  leader = term
  for (const message of [...waiting.values()]) pass(message)
  tell('ready')
}

/** The leader is gone. What only reads is asked again of the next; whether it did the rest is unknown. */
function orphaned(): void {
  if (leader === undefined) return
  leader = undefined
  for (const { id, again } of [...waiting.values()]) if (!again) answer(id, false, '"lost"')
}

function expectAnswer(): void {
  if (leading) return
  patience ??= setTimeout(() => {
    patience = undefined
    tell('asleep')
    say({ kind: 'who leads' })
    expectAnswer()
  }, LEADER_ANSWERS_MS)
}

function heardFromLeader(): void {
  if (patience === undefined) return
  clearTimeout(patience)
  patience = undefined
  if (leader !== undefined) tell('ready')
}

// --- leading

async function lead(): Promise<never> {
  leading = true
  clearTimeout(patience)
  patience = undefined
  say({ kind: 'i take over' })
  orphaned()
  try {
    engine = new Engine(await open(), self.location.origin, { reply: replied, event: happened, crashed })
  } catch (error) {
    tell({ failed: refusal(error), detail: String(error) })
    throw error
  }
  engine.start()
  say({ kind: 'i lead', term: tab })
  tell('ready')
  for (const message of [...waiting.values()]) pass(message)
  // Held until this worker ends.
  return new Promise<never>(() => {})
}

async function open(): Promise<Core> {
  const [{ key, fresh }] = await Promise.all([loadOrMake(), compiled.then((module) => init({ module_or_path: module }))])
  // Nobody can read what was written with a key that is gone.
  if (fresh) await retry(removeFiles)
  const core = await retry(() => Core.open(key, self.name || undefined))
  key.fill(0)
  return core
}

async function removeFiles(): Promise<void> {
  const root = await navigator.storage.getDirectory()
  try {
    await root.removeEntry(FOLDER, { recursive: true })
  } catch (error) {
    if ((error as DOMException).name !== 'NotFoundError') throw error
  }
}

async function retry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt === OPEN_ATTEMPTS_MAX) throw error
      await new Promise((resolve) => setTimeout(resolve, OPEN_WAIT_MS * attempt))
    }
  }
}

function ask(whose: string, id: number, command: string): void {
  nextId += 1
  asked.set(nextId, { tab: whose, id })
  engine?.command(nextId, command)
}

function replied(id: number, well: boolean, value: string): void {
  const call = asked.get(id)
  if (call === undefined) return
  asked.delete(id)
  if (call.tab === tab) answer(call.id, well, value)
  else say({ kind: 'answer', tab: call.tab, id: call.id, well, value })
}

function happened(event: string): void {
  self.postMessage({ kind: 'changed', event })
  say({ kind: 'event', event })
  if (event.startsWith('{"logged_out"')) void startOver()
}

/** The core has wiped its database. Its key goes too, and with a new one all begins anew. */
async function startOver(): Promise<void> {
  await forget()
  crashed('logged out')
}

function crashed(why: string): void {
  engine?.stop()
  tell({ crashed: why })
  self.close()
}

function refusal(error: unknown): Refusal {
  const text = String(error)
  if (text.includes('QuotaExceeded')) return 'storage_full'
  // What Chromium, Firefox and Safari say of a request that got nowhere.
  if (/Failed to fetch|NetworkError|Load failed/.test(text)) return 'not_loaded'
  if (text.includes('WebAssembly')) return 'no_wasm'
  return /getDirectory|SecurityError|createSyncAccessHandle/.test(text) ? 'no_storage' : 'broken'
}

if (!('locks' in navigator)) tell({ failed: 'no_locks', detail: '' })
else if (!('getDirectory' in (navigator.storage ?? {}))) tell({ failed: 'no_storage', detail: '' })
else {
  void navigator.locks.request(LOCK, lead).catch(() => {})
  say({ kind: 'who leads' })
  // Somebody else may lead; whoever holds the lock answers soon.
  void navigator.locks.query().then(({ held }) => {
    if (!leading && held?.some(({ name }) => name === LOCK)) expectAnswer()
  })
}
