// A conversation of 100,000 messages, scrolled through. The page is the real one; in place of its worker stands one that
// makes the messages up, for nobody waits until they are sent. What the core does with many is its own tests' affair.
import { expect, test } from './world.ts'

const COUNT = 100_000
const STEPS = 150
/** A frame on a machine that does nothing else takes 17 ms; others work on this one. */
const FRAME_MEDIAN_MAX_MS = 50
const CHAT = '00000000-0000-4000-8000-00000000c4a7'

/** Runs in place of src/worker/main.ts. */
const WORKER = `
const COUNT = ${COUNT}, CHAT = '${CHAT}', ME = '00000000-0000-4000-8000-00000000000a', OTHER = '00000000-0000-4000-8000-00000000000b'
const id = (seq) => '00000000-0000-4000-8000-' + String(seq).padStart(12, '0')
const message = (seq) => ({
  message: id(seq), conversation: CHAT, position: { seq, local: 0 }, sender: seq % 3 ? OTHER : ME, sender_title: 'Bram', own: seq % 3 === 0,
  time_ms: 1.7e12 + seq * 6e4, body: { text: { text: 'Message ' + seq + (seq % 5 ? '' : ', and a good deal more to say about it'.repeat(seq % 7 + 1)) } },
  reply_to: null, reactions: seq % 11 ? [] : [{ account: OTHER, emoji: '👍' }], edited: false, tick: seq % 3 ? null : 'read', starred: false,
  pinned: false, forwarded: false, mentions: [], mentions_me: false, preview: null, expires_ms: null,
})
const run = (from, to) => { const all = []; for (let seq = Math.max(from, 1); seq <= Math.min(to, COUNT); seq += 1) all.push(message(seq)); return all }
const chat = () => ({
  conversation: CHAT, kind: 'direct', account: OTHER, title: 'Bram', member: true, phone: null, unread: 0, last: message(COUNT), blocked: false,
  verified: false, presence: null, pinned: false, archived: false, muted_until_ms: null, marked_unread: false, draft: null, pins: [], timer_s: null,
  about: null, picture: null,
})
const answers = {
  status: () => ({ status: { account: ME, device: ME, phone: '+31600000000', connection: 'live', outbox: 0, changes: 0, unread: 0, unread_muted: 0, importing: false } }),
  conversations: () => ({ conversations: [chat()] }),
  messages: ({ before, limit }) => ({ messages: run((before ? before.seq : COUNT + 1) - limit, before ? before.seq - 1 : COUNT) }),
  messages_after: ({ after, limit }) => ({ messages: run(after.seq + 1, after.seq + limit) }),
  messages_around: ({ message, limit }) => { const seq = Number(message.slice(-12)); return { messages: run(seq - limit / 2, seq + limit / 2 - 1) } },
}
self.onmessage = ({ data }) => {
  if (data.kind !== 'command') return
  const command = JSON.parse(data.command)
  const verb = typeof command === 'string' ? command : Object.keys(command)[0]
  const answer = answers[verb]
  self.postMessage({ kind: 'reply', id: data.id, well: true, value: JSON.stringify(answer ? answer(command[verb]) : 'done') })
}
self.postMessage({ kind: 'changed', event: JSON.stringify({ engine: 'ready' }) })
`

test('100,000 messages scroll smoothly, and both ends are reached', async ({ browser, server }) => {
  const context = await browser.newContext({ serviceWorkers: 'block' })
  const page = await context.newPage()
  await page.route(/\/assets\/main-[^/]*\.js$/, (route) => route.fulfill({ contentType: 'text/javascript', body: WORKER }))
  await page.goto(`${server.url}/#/chat/${CHAT}`)
  const messages = page.getByRole('region', { name: 'Messages' })
  const said = (text: string) => messages.getByRole('article').getByText(text, { exact: true })
  await expect(said(`Message ${COUNT - 1}`)).toBeInViewport()

  await messages.hover()
  await page.evaluate(() => {
    const frames: number[] = []
    let last = performance.now()
    const frame = (now: number) => {
      frames.push(now - last)
      last = now
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
    Object.assign(window, { frames })
  })
  let drawn = 0
  for (let step = 0; step < STEPS; step += 1) {
    await page.mouse.wheel(0, -2_000)
    drawn = Math.max(drawn, await messages.locator('li').count())
  }
  const frames = await page.evaluate(() => (window as unknown as { frames: number[] }).frames.toSorted((a, b) => a - b))
  const at = (share: number) => Math.round(frames[Math.floor(frames.length * share)] ?? Infinity)
  process.stdout.write(`${STEPS} steps up: ${frames.length} frames, median ${at(0.5)} ms, 95% within ${at(0.95)} ms; at most ${drawn} rows drawn\n`)
  expect(drawn).toBeLessThan(150)
  expect(at(0.5)).toBeLessThan(FRAME_MEDIAN_MAX_MS)
  // Far up, and nothing stands empty.
  const first = Number((await messages.getByRole('article').first().innerText()).match(/Message (\d+)/)?.[1])
  expect(first).toBeLessThan(COUNT - 1_500)
  await page.getByRole('button', { name: 'To the newest message' }).click()
  await expect(said(`Message ${COUNT - 1}`)).toBeInViewport()

  // The very beginning, and on from there.
  await page.goto(`${server.url}/#/chat/${CHAT}/at/00000000-0000-4000-8000-000000000002`)
  await expect(said('Message 2')).toBeInViewport()
  await messages.hover()
  await expect(async () => {
    await page.mouse.wheel(0, 3_000)
    const last = Number((await messages.getByRole('article').last().innerText()).match(/Message (\d+)/)?.[1])
    expect(last).toBeGreaterThan(300)
  }).toPass()
  await context.close()
})
