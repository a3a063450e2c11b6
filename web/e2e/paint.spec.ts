// How long it takes from the address to the list of 200 conversations on screen, from what this device has: the median
// of ten reloads, and of ten more without the list as it was last time, when the page has to wait for the database.
// PAINT=200 runs it; it takes minutes to make the people.
import type { Page } from '@playwright/test'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { binary, expect, test } from './world.ts'

const CHATS = Number(process.env['PAINT'] ?? 0)
const ROUNDS = 10
const MEDIAN_MAX_MS = 300
/** People who sign up at the same time. */
const AT_ONCE = 4

/** The page's script runs, has the list of last time, has made the rows; they are on screen; the database has answered. */
const STEPS = ['script', 'recalled', 'mounted', 'painted', 'live'] as const
type Step = (typeof STEPS)[number]

/** Ascending, in milliseconds. */
async function rounds(page: Page, before: () => Promise<void>): Promise<Record<Step, number[]>> {
  const all: Record<Step, number[]> = { script: [], recalled: [], mounted: [], painted: [], live: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    await before()
    await page.reload()
    const times = await page.waitForFunction(() => {
      const { painted, live } = window as unknown as { painted?: number; live?: number }
      const marks = Object.fromEntries(performance.getEntriesByType('mark').map(({ name, startTime }) => [name, startTime]))
      return painted !== undefined && live !== undefined ? { ...marks, painted, live } : undefined
    })
    const got: Partial<Record<Step, number>> = (await times.jsonValue()) ?? {}
    for (const step of STEPS) all[step].push(got[step] ?? Infinity)
    // The list is written down for the next time a while after it was read.
    await expect.poll(() => snapshots(page)).toBe(1)
  }
  for (const step of STEPS) all[step].sort((a, b) => a - b)
  return all
}

function snapshots(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)))
    const db = await done(indexedDB.open('tidings-key'))
    const count = await done(db.transaction('key').objectStore('key').count('snapshot'))
    db.close()
    return count
  })
}

function median(times: number[]): number {
  return Math.round(times[ROUNDS / 2] ?? Infinity)
}

// A trace costs time in every frame.
test.use({ trace: 'off' })

test('paints from the local database', async ({ meet, server }) => {
  test.skip(CHATS === 0, 'PAINT says how many conversations')
  test.setTimeout(1_800_000)
  const anna = await meet('Anna')
  const home = mkdtempSync(join(tmpdir(), 'tidings-paint-'))
  const env = { ...process.env, TIDINGS_HOME: home, TIDINGS_SERVER: `http://${server.address}` }
  const run = (...args: string[]) => promisify(execFile)(binary(), args, { env })
  let next = 0
  const work = async () => {
    for (let index = next++; index < CHATS; index = next++) {
      const phone = `+31617${String(100_000 + index)}`
      await run('register', phone, '--request')
      await run('register', phone, '--name', `Person ${index}`, '--code', await server.code(phone))
      await run('--as', phone, 'send', anna.phone, `Hello, this is number ${index}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  rmSync(home, { recursive: true, force: true })
  await expect(anna.page.getByRole('navigation').getByRole('link')).toHaveCount(CHATS, { timeout: 120_000 })
  await anna.page.addInitScript(() => {
    // The frame that shows it is on the screen after the next task.
    const shown = (name: string) => requestAnimationFrame(() => setTimeout(() => Object.assign(window, { [name]: performance.now() })))
    let painted = false
    const look = () => {
      if (!painted && document.querySelector('nav li a') !== null) {
        painted = true
        shown('painted')
      }
      if (document.querySelector('nav ul[aria-busy="false"] a') === null) requestAnimationFrame(look)
      else shown('live')
    }
    requestAnimationFrame(look)
  })
  await expect.poll(() => snapshots(anna.page)).toBe(1)
  const known = await rounds(anna.page, async () => {})
  const unknown = await rounds(anna.page, () =>
    anna.page.evaluate(async () => {
      const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)))
      const db = await done(indexedDB.open('tidings-key'))
      await done(db.transaction('key', 'readwrite').objectStore('key').delete('snapshot'))
      db.close()
    }),
  )
  const say = (what: string, times: number[]) => process.stdout.write(`${what}: median ${median(times)} ms of ${times.map(Math.round).join(', ')}\n`)
  process.stdout.write(`${CHATS} conversations; load of the machine ${readFileSync('/proc/loadavg', 'utf8').trim()}\n`)
  for (const step of STEPS) say(step, known[step])
  for (const step of STEPS) say(`without the list of last time: ${step}`, unknown[step])
  expect(median(known.painted)).toBeLessThan(MEDIAN_MAX_MS)
})
