import { describe, expect, it } from 'vitest'
import type { Message } from '../core/types.ts'
import { rows } from '../rows.ts'
import type { Answer } from '../core/messages.ts'
import type { Command } from '../core/types.ts'
import { Chat, merge } from './chat.svelte.ts'
import { parse, print } from './router.svelte.ts'

const UNSENT = 2 ** 64

function message(id: string, seq: number, over: Partial<Message> = {}): Message {
  return {
    message: id, conversation: 'c', position: { seq, local: 0 }, sender: 'a', sender_title: 'Anna', own: false,
    time_ms: Date.UTC(2026, 10, 21, 12) + seq * 1000, body: { text: { text: id } }, reply_to: null, reactions: [], edited: false,
    tick: null, ...over,
  } as Message
}

describe('merging pages', () => {
  it('keeps order and has each message once, as it is now', () => {
    const known = [message('1', 1), message('2', 2), message('x', UNSENT)]
    const fresh = [message('2', 2, { edited: true }), message('x', 3), message('y', UNSENT)]
    const merged = merge(known, fresh)
    expect(merged.map(({ message }) => message)).toEqual(['1', '2', 'x', 'y'])
    expect(merged[1]?.edited).toBe(true)
    expect(merged[2]?.position.seq).toBe(3)
  })
})

interface Asked {
  messages?: { before: { seq: number } | null; limit: number }
  messages_after?: { after: { seq: number }; limit: number }
  messages_around?: { message: string; limit: number }
}

/** A core with this many messages, numbered from 1. */
function core(count: number) {
  const all = Array.from({ length: count }, (_, index) => message(String(index + 1), index + 1))
  return (command: Command): Promise<Answer> => {
    const { messages, messages_after: after, messages_around: around } = command as unknown as Asked
    let page = all
    if (messages) page = all.filter(({ position }) => position.seq < (messages.before?.seq ?? Infinity)).slice(-messages.limit)
    if (after) page = all.filter(({ position }) => position.seq > after.after.seq).slice(0, after.limit)
    if (around) {
      const at = Number(around.message)
      if (at > count) return Promise.resolve({ well: false, failure: 'no_such_message' })
      page = all.slice(Math.max(at - around.limit / 2, 0), at + around.limit / 2)
    }
    return Promise.resolve({ well: true, reply: { messages: page } })
  }
}

describe('a conversation on screen', () => {
  const ids = (chat: Chat) => chat.messages.map(({ position }) => position.seq)
  const run = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

  it('holds a part of a long one, and goes all the way and back without a gap', async () => {
    const COUNT = 5_000
    const chat = new Chat('c', { conversation: 'c' }, core(COUNT))
    await chat.refresh()
    while (!chat.whole) {
      const before = ids(chat)[0]
      // News comes in the middle of it.
      chat.heard('caught_up')
      await chat.older()
      expect(ids(chat)[0]).toBeLessThan(before ?? 0)
      expect(chat.messages.length).toBeLessThanOrEqual(1_000)
    }
    expect(ids(chat)).toEqual(run(1, ids(chat).length))
    expect(chat.apart).toBe(true)
    while (chat.apart) {
      await chat.newer()
      expect(chat.messages.length).toBeLessThanOrEqual(1_000)
      const here = ids(chat)
      expect(here).toEqual(run(here[0] ?? 0, here.at(-1) ?? 0))
    }
    expect(ids(chat).at(-1)).toBe(COUNT)
    await chat.older()
    await chat.newest()
    expect(ids(chat).at(-1)).toBe(COUNT)
  })

  it('goes to an old message and reads on until it meets the newest, without a gap', async () => {
    const chat = new Chat('c', { conversation: 'c' }, core(300))
    await chat.refresh()
    expect(ids(chat)).toEqual(run(241, 300))
    expect(await chat.find('100')).toBe(true)
    expect(chat.apart).toBe(true)
    // News of the newest must not be put behind a gap.
    chat.heard({ message_added: { conversation: 'c', message: '300', own: false } })
    await chat.older()
    expect(ids(chat)).toEqual(run(11, 130))
    while (chat.apart) await chat.newer()
    expect(ids(chat)).toEqual(run(11, 300))
  })

  it('comes back to the newest, and stays where it is if the message is gone', async () => {
    const chat = new Chat('c', { conversation: 'c' }, core(300))
    await chat.refresh()
    expect(await chat.find('999')).toBe(false)
    expect(ids(chat)).toEqual(run(241, 300))
    await chat.find('5')
    await chat.newest()
    expect([chat.apart, ids(chat)]).toEqual([false, run(241, 300)])
  })

  it('drops what has disappeared, and what was to be done with it', async () => {
    const chat = new Chat('c', { conversation: 'c' }, core(3))
    await chat.refresh()
    chat.replyTo = chat.messages[1]
    chat.heard({ message_removed: { conversation: 'c', message: '2' } })
    expect([ids(chat), chat.replyTo]).toEqual([[1, 3], undefined])
  })
})

describe('rows', () => {
  it('puts days and the unread line between messages, and gathers runs', () => {
    const day = 24 * 60 * 60 * 1000
    const base = Date.UTC(2026, 10, 21, 12)
    const list = [
      message('1', 1, { time_ms: base }),
      message('2', 2, { time_ms: base + 1000 }),
      message('3', 3, { time_ms: base + 2000, sender: 'b' }),
      message('4', 4, { time_ms: base + day }),
    ]
    const shown = rows(list, { from: '3', count: 2 })
    expect(shown.map((row) => row.key)).toEqual(['day 1', '1', '2', 'unread', '3', 'day 4', '4'])
    expect(shown.filter((row) => row.kind === 'message').map((row) => [row.first, row.last])).toEqual([
      [true, false], [false, true], [true, true], [true, true],
    ])
  })
})

describe('the address', () => {
  it('names every place, and nonsense is home', () => {
    const conversation = '701d2beb-a892-865c-9867-080c269333f1'
    for (const place of [{ name: 'home' }, { name: 'new-group' }, { name: 'settings' }, { name: 'chat', conversation, details: true },
      { name: 'chat', conversation, details: false, search: true }, { name: 'chat', conversation, details: false, search: false, message: conversation }] as const) {
      expect(parse(print(place))).toEqual(place)
    }
    expect(parse('#/chat/../../x')).toEqual({ name: 'home' })
  })
})
