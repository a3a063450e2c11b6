// One person with several devices.
import type { Page } from '@playwright/test'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Person, binary, expect, test } from './world.ts'

/** As the terminal shows it. */
const CODE = /approve '([^']+)'/

/** Into the conversation with Bram: there are one's own notes too, once there are several devices. */
async function enter(page: Page): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: /Bram/ }).click({ timeout: 45_000 })
}

/** Lets the device with this code into the account. */
async function approve({ page }: Person, code: string): Promise<void> {
  await page.getByRole('button', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Link a device' }).click()
  await page.getByLabel('Code on the new device').fill(code)
  await page.getByRole('button', { name: 'Let it in' }).click()
  await expect(page.getByText('The device was let in.')).toBeVisible({ timeout: 30_000 })
}

test('another browser is linked, gets the history, and is logged out', async ({ meet, server, browser }) => {
  test.setTimeout(180_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('Long before')
  await anna.expectTick('Long before', 'Delivered')
  await bram.enter()
  await bram.say('I remember')
  await expect(anna.bubble('I remember')).toBeVisible()

  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(server.url)
  await page.getByRole('button', { name: 'This is one more device' }).click()
  await approve(anna, await page.locator('.code').innerText())
  await enter(page)
  const bubble = (text: string) => page.getByRole('article').filter({ hasText: text })
  for (const text of ['Long before', 'I remember']) await expect(bubble(text)).toHaveCount(1, { timeout: 45_000 })

  // What either device says is on both, and with whom they speak once.
  const field = page.getByRole('textbox', { name: 'Write a message' })
  await field.fill('From the kitchen')
  await field.press('Enter')
  await expect(bram.bubble('From the kitchen')).toHaveCount(1)
  await enter(anna.page)
  await expect(anna.bubble('From the kitchen')).toHaveCount(1)
  await anna.say('From the desk')
  await bram.say('Both of you')
  for (const text of ['From the desk', 'Both of you']) await expect(bubble(text)).toHaveCount(1)
  await expect(bram.bubble('From the desk')).toHaveCount(1)

  await anna.page.getByRole('button', { name: 'Settings' }).click()
  await anna.page.getByRole('button', { name: /^Log out ./ }).click()
  await anna.page.getByRole('dialog').getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByRole('heading', { name: 'Welcome to Tidings' })).toBeVisible({ timeout: 30_000 })
  await enter(anna.page)
  await anna.say('Just us again')
  await expect(bram.bubble('Just us again')).toBeVisible()
  await context.close()
})

test('a terminal is linked from the browser', async ({ meet, server }) => {
  test.setTimeout(180_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('Long before')
  await bram.enter()
  await bram.say('I remember')
  await expect(anna.bubble('I remember')).toBeVisible()
  const home = mkdtempSync(join(tmpdir(), 'tidings-terminal-'))
  const env = { ...process.env, TIDINGS_HOME: home, TIDINGS_SERVER: `http://${server.address}` }
  const linking = spawn(binary(), ['link', '--no-qr', '--device-name', 'A terminal'], { env })
  let said = ''
  linking.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
  linking.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const ended = new Promise<number | null>((done) => linking.once('exit', done))
  await expect.poll(() => said).toMatch(CODE)
  await approve(anna, said.match(CODE)?.[1] ?? '')
  expect(await ended, said).toBe(0)
  await expect(anna.page.getByText('A terminal')).toBeVisible()

  const run = (...args: string[]) => execFileSync(binary(), args, { env, stdio: 'pipe' }).toString()
  await expect.poll(() => run('history', bram.phone), { timeout: 30_000 }).toContain('Long before')
  run('send', bram.phone, 'Typed in a terminal', '--wait', 'sent')
  await enter(anna.page)
  await expect(anna.bubble('Typed in a terminal')).toHaveCount(1)
  await expect(bram.bubble('Typed in a terminal')).toHaveCount(1)
  rmSync(home, { recursive: true, force: true })
})
