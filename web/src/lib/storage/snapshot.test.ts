import { describe, expect, it } from 'vitest'
import type { Conversation, Message } from '../core/types.ts'
import { later, short } from './snapshot.ts'

function chat(text: string, expires_ms: number | null): Conversation {
  const last = { body: { text: { text } }, expires_ms } as unknown as Message
  return { conversation: 'c', last, presence: { online: true, last_seen_ms: null } } as unknown as Conversation
}

describe('the list as it was', () => {
  it('does not show what has disappeared since, nor who was there then', () => {
    expect(later(chat('gone by now', 1_000), 1_000)).toMatchObject({ last: null, presence: null })
    expect(later(chat('still here', 1_001), 1_000).last).not.toBeNull()
    expect(later(chat('for good', null), 1_000).last).not.toBeNull()
  })

  it('keeps of a long text what a row shows', () => {
    const kept = short(chat('x'.repeat(40_000), null))
    expect(JSON.stringify(kept).length).toBeLessThan(500)
    const brief = chat('hello', null)
    expect(short(brief)).toBe(brief)
  })
})
