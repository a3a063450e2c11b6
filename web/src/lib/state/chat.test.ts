import { describe, expect, it } from 'vitest'
import type { Message } from '../core/types.ts'
import { rows } from '../rows.ts'
import { merge } from './chat.svelte.ts'
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
