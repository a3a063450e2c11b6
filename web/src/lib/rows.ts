// What stands in a conversation, from top to bottom: days, the line where the unread begins, and messages.
import { tagOf } from './core/reply.ts'
import type { Message } from './core/types.ts'

type Row =
  | { kind: 'day'; key: string; time: number }
  | { kind: 'unread'; key: string; count: number }
  /** `first`, `last`: of a run of messages by the same person. */
  | { kind: 'message'; key: string; message: Message; first: boolean; last: boolean }

/** Messages of one person further apart are not a run. */
const RUN_MS = 5 * 60 * 1000

export function rows(messages: readonly Message[], unread: { from: string; count: number } | undefined): Row[] {
  const all: Row[] = []
  messages.forEach((message, index) => {
    const before = messages[index - 1]
    const after = messages[index + 1]
    const newDay = before === undefined || !sameDay(before.time_ms, message.time_ms)
    if (newDay) all.push({ kind: 'day', key: `day ${message.message}`, time: message.time_ms })
    const begins = unread?.from === message.message
    if (begins) all.push({ kind: 'unread', key: 'unread', count: unread.count })
    const first = newDay || begins || !isRun(before, message)
    const last = after === undefined || !isRun(message, after) || !sameDay(message.time_ms, after.time_ms)
    all.push({ kind: 'message', key: message.message, message, first, last })
  })
  return all
}

function isRun(before: Message | undefined, message: Message): boolean {
  return (
    before !== undefined &&
    before.sender === message.sender &&
    tagOf(before.body) !== 'notice' &&
    tagOf(message.body) !== 'notice' &&
    message.time_ms - before.time_ms < RUN_MS
  )
}

export function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString()
}
