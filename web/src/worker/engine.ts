// Drives the core by its law: hand over one input, carry out every output in order, then wait.
import type { Core } from './core/tidings_browser.js'

/** What a call of the core gives back; crates/browser/src/outputs.rs lists them. */
type Output =
  | ['connect']
  | ['disconnect']
  | ['send', Uint8Array<ArrayBuffer>]
  | ['request', number, string, string, string | null, Uint8Array<ArrayBuffer> | string | null, string | null]
  | ['reply', number, boolean, string]
  | ['event', string]
  | ['wake', number]

/** Where replies and events go; `crashed` ends the engine. */
interface Ears {
  reply(id: number, well: boolean, value: string): void
  event(event: string): void
  crashed(why: string): void
}

const SUBPROTOCOL = 'tidings.v1.cbor'
/** Frames that share a transaction. */
const FRAMES_BATCH_MAX = 256
/** Calls of the HTTP API under way at once, and how long one may take. */
const REQUESTS_MAX = 8
const REQUEST_TIMEOUT_MS = 30_000
/** A wait is never longer than this: the clock may jump, and a machine may sleep. */
const NAP_MAX_MS = 10_000
/** The clock ran this much further than a nap: the machine slept, so the network is another one. */
const SLEPT_MS = 20_000

type Request = Extract<Output, ['request', ...unknown[]]>

export class Engine {
  readonly #core: Core
  readonly #ears: Ears
  readonly #origin: string
  #socket: WebSocket | undefined
  #frames: Uint8Array[] = []
  #flush = new MessageChannel()
  #flushing = false
  #wakeAt = Infinity
  #nap: ReturnType<typeof setTimeout> | undefined
  #napFrom = Date.now()
  #requests: Request[] = []
  #underWay = 0
  #dead = false

  constructor(core: Core, origin: string, ears: Ears) {
    this.#core = core
    this.#origin = origin
    this.#ears = ears
    this.#flush.port1.onmessage = () => this.#handOver()
  }

  start(): void {
    this.#input((now) => this.#core.tick(now))
    this.#sleep()
  }

  command(id: number, command: string): void {
    this.#input((now) => {
      try {
        return this.#core.command(id, command, now)
      } catch (error) {
        // Not a command of this version: a tab of another one asked.
        if (error instanceof WebAssembly.RuntimeError) throw error
        return [['reply', id, false, '"not_understood"']]
      }
    })
  }

  networkChanged(): void {
    this.#input((now) => this.#core.networkChanged(now))
  }

  /** The browser says so, long before a silent line would show it. */
  networkLost(): void {
    if (this.#socket === undefined) return
    this.#hangUp()
    this.#input((now) => this.#core.disconnected(now))
  }

  /** Ends it: nothing is handed to the core any more. */
  stop(): void {
    this.#dead = true
    clearTimeout(this.#nap)
    this.#hangUp()
  }

  #input(run: (now: number) => Output[]): void {
    if (this.#dead) return
    try {
      for (const output of run(Date.now())) this.#carryOut(output)
    } catch (error) {
      // The core does not throw; it came to a sudden end, and what it knew cannot be trusted.
      this.stop()
      this.#ears.crashed(String(error))
      return
    }
    this.#sleep()
  }

  #carryOut(output: Output): void {
    switch (output[0]) {
      case 'connect':
        return this.#connect()
      case 'disconnect':
        return this.#hangUp()
      case 'send':
        // Not open: what is lost, the core sends again after the next connection.
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(output[1])
        return
      case 'request':
        this.#requests.push(output)
        return this.#nextRequest()
      case 'reply':
        return this.#ears.reply(output[1], output[2], output[3])
      case 'event':
        return this.#ears.event(output[1])
      case 'wake':
        this.#wakeAt = output[1]
    }
  }

  #connect(): void {
    this.#hangUp()
    const url = `${this.#origin.replace(/^http/, 'ws')}/v1/socket`
    const socket = new WebSocket(url, SUBPROTOCOL)
    socket.binaryType = 'arraybuffer'
    this.#socket = socket
    const mine = () => this.#socket === socket
    socket.onopen = () => mine() && this.#input((now) => this.#core.connected(now))
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => mine() && this.#heard(new Uint8Array(data))
    socket.onclose = () => {
      if (!mine()) return
      this.#handOver()
      this.#socket = undefined
      this.#input((now) => this.#core.disconnected(now))
    }
  }

  #hangUp(): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#frames = []
    socket?.close()
  }

  /** Gathers the messages that are there, so that they share a transaction. */
  #heard(frame: Uint8Array): void {
    this.#frames.push(frame)
    if (!this.#flushing) {
      this.#flushing = true
      this.#flush.port2.postMessage(null)
    }
  }

  #handOver(): void {
    this.#flushing = false
    const frames = this.#frames.splice(0, FRAMES_BATCH_MAX)
    if (frames.length === 0) return
    this.#input((now) => this.#core.frames(frames, now))
    if (this.#frames.length > 0) this.#heard(this.#frames.pop() as Uint8Array)
  }

  #nextRequest(): void {
    while (this.#underWay < REQUESTS_MAX) {
      const request = this.#requests.shift()
      if (request === undefined) return
      this.#underWay += 1
      void this.#ask(request).finally(() => {
        this.#underWay -= 1
        this.#nextRequest()
      })
    }
  }

  async #ask([, id, method, path, contentType, body, bearer]: Request): Promise<void> {
    const headers: Record<string, string> = {}
    if (contentType !== null) headers['content-type'] = contentType
    if (bearer !== null) headers['authorization'] = `Bearer ${bearer}`
    let answer: { status: number; body: Uint8Array } | undefined
    try {
      const response = await fetch(this.#origin + path, {
        method,
        headers,
        body,
        cache: 'no-store',
        credentials: 'omit',
        // A token must not follow a redirect to somebody else.
        redirect: 'error',
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      })
      answer = { status: response.status, body: new Uint8Array(await response.arrayBuffer()) }
    } catch {
      // No answer: whether the server did it is unknown.
    }
    const got = answer
    this.#input((now) => (got ? this.#core.answered(id, got.status, got.body, now) : this.#core.lost(id, now)))
  }

  #sleep(): void {
    clearTimeout(this.#nap)
    if (this.#dead) return
    this.#napFrom = Date.now()
    const nap = Math.min(Math.max(this.#wakeAt - this.#napFrom, 0), NAP_MAX_MS)
    this.#nap = setTimeout(() => this.#wake(), nap)
  }

  #wake(): void {
    const now = Date.now()
    if (now - this.#napFrom > SLEPT_MS) this.networkChanged()
    if (now >= this.#wakeAt) {
      // Unless the core names another time, nothing has to be done at any time.
      this.#wakeAt = Infinity
      this.#input((at) => this.#core.tick(at))
    }
    this.#sleep()
  }
}
