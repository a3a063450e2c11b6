import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CoreClient } from './client.ts'
import type { CommandMessage, News } from './messages.ts'

/** A worker's end of the wire, in the test's hands. */
class Wire {
  static all: Wire[] = []
  onmessage: ((event: { data: unknown }) => void) | undefined
  onerror: ((event: { message: string }) => void) | undefined
  posted: CommandMessage[] = []
  ended = false

  constructor() {
    Wire.all.push(this)
  }

  postMessage(message: CommandMessage): void {
    this.posted.push(message)
  }

  terminate(): void {
    this.ended = true
  }

  say(data: unknown): void {
    this.onmessage?.({ data })
  }
}

function start() {
  const heard: News[] = []
  const client = new CoreClient(() => new Wire() as unknown as Worker, (news) => heard.push(news))
  client.start()
  return { client, heard, wire: () => Wire.all.at(-1) as Wire }
}

beforeEach(() => {
  Wire.all = []
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

describe('the wire to the worker', () => {
  it('keeps what is asked before there is a worker, and starts one once', async () => {
    const client = new CoreClient(() => new Wire() as unknown as Worker, () => {})
    const reply = client.ask('status')
    expect(Wire.all).toEqual([])
    client.start()
    client.start()
    expect(Wire.all.length).toBe(1)
    const wire = Wire.all[0] as Wire
    expect(wire.posted.map(({ command }) => command)).toEqual(['"status"'])
    wire.say({ kind: 'reply', id: wire.posted[0]?.id, well: true, value: '"done"' })
    expect(await reply).toEqual({ well: true, reply: 'done' })
  })

  it('gives each command its own answer, in whatever order they come', async () => {
    const { client, wire } = start()
    const first = client.ask('status')
    const second = client.ask('conversations')
    const [a, b] = wire().posted
    wire().say({ kind: 'reply', id: b?.id, well: true, value: '{"conversations":[]}' })
    wire().say({ kind: 'reply', id: a?.id, well: false, value: '"offline"' })
    expect(await first).toEqual({ well: false, failure: 'offline' })
    expect(await second).toEqual({ well: true, reply: { conversations: [] } })
  })

  it('asks again what only reads when the worker ends, and says of the rest that it may be lost', async () => {
    const { client, heard, wire } = start()
    const read = client.ask('status')
    const write = client.ask('logout')
    const former = wire()
    former.onerror?.({ message: 'gone' })
    const late = client.ask({ register: { phone: '+31612345678' } })
    expect(former.ended).toBe(true)
    expect(heard).toEqual([{ engine: 'starting' }])
    vi.runAllTimers()
    expect(await write).toEqual({ well: false, failure: 'lost' })
    expect(wire()).not.toBe(former)
    // What was asked in between was never handed over, so it is not lost.
    expect(wire().posted.map(({ command }) => command)).toEqual(['"status"', '{"register":{"phone":"+31612345678"}}'])
    wire().posted.forEach(({ id }) => wire().say({ kind: 'reply', id, well: true, value: '"done"' }))
    expect([(await read).well, (await late).well]).toEqual([true, true])
  })

  it('gives up when no worker lives long enough to be ready', () => {
    const { heard, wire } = start()
    for (let round = 0; round < 6; round += 1) {
      wire().onerror?.({ message: 'broken' })
      vi.runAllTimers()
    }
    expect(heard.at(-1)).toEqual({ engine: { failed: 'broken', detail: 'broken' } })
  })
})
