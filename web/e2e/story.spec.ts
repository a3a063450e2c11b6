// What goes wrong: networks, servers, tabs, reloads.
import type { Page } from '@playwright/test'
import { expect, test } from './world.ts'

test('offline: what was written waits, and goes when the network is back', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('first')
  await anna.expectTick('first', 'Delivered')
  await bram.enter()
  await expect(bram.bubble('first')).toBeVisible()

  await bram.context.setOffline(true)
  await anna.context.setOffline(true)
  await anna.say('from the tunnel')
  await anna.expectTick('from the tunnel', 'Waiting to be sent')
  await expect(anna.page.getByText('Waiting for the network').first()).toBeVisible()
  await anna.context.setOffline(false)
  await anna.expectTick('from the tunnel', 'Sent')
  await bram.context.setOffline(false)
  await expect(bram.bubble('from the tunnel')).toBeVisible()
  await anna.expectTick('from the tunnel', 'Read')
})

test('the server is killed while somebody types: nothing is lost, nothing doubled', async ({ meet, server }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('before')
  await anna.expectTick('before', 'Delivered')
  await bram.enter()
  await anna.field.pressSequentially('during')
  await expect(bram.page.getByText('typing…').first()).toBeVisible()
  await server.kill()
  await expect(bram.page.getByText('typing…')).toHaveCount(0)
  await anna.field.pressSequentially(' the night')
  await expect(anna.field).toHaveValue('during the night')
  await anna.field.press('Enter')
  await anna.expectTick('during', 'Waiting to be sent')
  await server.start()
  await anna.expectTick('during', 'Read')
  await expect(bram.bubble('during')).toHaveCount(1)
})

test('a reload in the middle: the message is there once, and goes', { tag: '@core' }, async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('hello')
  await anna.expectTick('hello', 'Delivered')
  await anna.context.setOffline(true)
  await anna.say('sent and gone')
  await anna.expectTick('sent and gone', 'Waiting to be sent')
  await anna.context.setOffline(false)
  await anna.page.reload()
  await anna.expectTick('sent and gone', 'Delivered')
  await expect(anna.bubble('sent and gone')).toHaveCount(1)
  await bram.enter()
  await expect(bram.bubble('sent and gone')).toHaveCount(1)
})

/** Longer than the page waits until it writes a draft down. */
const PAUSE_MS = 2_500

test('a tab dies in the middle of sending: nothing is lost, nothing doubled', async ({ meet, server }) => {
  test.setTimeout(120_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('hello')
  await anna.expectTick('hello', 'Delivered')
  await bram.enter()
  const said = ['hello']

  // As many as there are on their way when it happens.
  for (let number = 1; number <= 8; number += 1) {
    said.push(`in a row ${number}`)
    await anna.say(`in a row ${number}`)
  }
  await expect(anna.bubble('in a row 8')).toBeVisible()
  await anna.crash()
  await anna.expectTick('in a row 8', 'Read')

  // The server has them, and the tab dies before it hears that.
  server.pause()
  for (const text of ['into the wire', 'and no answer']) {
    said.push(text)
    await anna.say(text)
    await anna.expectTick(text, 'Waiting to be sent')
  }
  await anna.field.fill('half a thought')
  await anna.page.waitForTimeout(PAUSE_MS)
  const address = anna.page.url()
  server.resume()
  await anna.crash()
  expect(anna.page.url()).toBe(address)
  await anna.expectTick('and no answer', 'Read')
  await expect(anna.field).toHaveValue('half a thought')

  await bram.say('I have all of it')
  await expect(anna.bubble('I have all of it')).toBeVisible()
  for (const person of [anna, bram]) {
    const texts = await person.page.getByRole('article').locator('.text').allInnerTexts()
    expect(texts.map((text) => text.trim())).toEqual([...said, 'I have all of it'])
  }
})

test('two tabs: one leads, both work, and the other takes over', async ({ meet, server }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('one')
  await anna.expectTick('one', 'Delivered')

  const second = await anna.context.newPage()
  anna.watch(second)
  await second.goto(`${server.url}/${new URL(anna.page.url()).hash}`)
  const field = second.getByRole('textbox', { name: 'Write a message' })
  await field.fill('two')
  await field.press('Enter')
  await anna.expectTick('two', 'Delivered')

  const leader = () => second.evaluate(async () => (await navigator.locks.query()).held?.find(({ name }) => name === 'tidings-core')?.clientId)
  const first = await leader()
  await anna.page.close()
  await expect.poll(leader).not.toBe(first)
  await field.fill('three')
  await field.press('Enter')
  await expect(second.getByRole('article').filter({ hasText: 'three' }).getByRole('img', { name: 'Delivered' })).toBeVisible()
  await bram.enter()
  for (const text of ['one', 'two', 'three']) await expect(bram.bubble(text)).toHaveCount(1)
})

/** What lies in the browser's safe. */
function safe(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)))
    const db = await done(indexedDB.open('tidings-key'))
    const keys = await done(db.transaction('key').objectStore('key').getAllKeys())
    db.close()
    return keys.map(String)
  })
}

function sealedBytes(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)))
    const db = await done(indexedDB.open('tidings-key'))
    const row = (await done(db.transaction('key').objectStore('key').get('snapshot'))) as { sealed: ArrayBuffer } | undefined
    db.close()
    return row?.sealed.byteLength ?? 0
  })
}

test('the list is painted while the core sleeps, from what nobody else can read', { tag: '@core' }, async ({ meet }) => {
  const anna = await meet('Anna', { serviceWorkers: 'block' })
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('do you read me?')
  await anna.expectTick('do you read me?', 'Delivered')
  // With the conversation in it: an empty list has a few hundred bytes.
  await expect.poll(() => sealedBytes(anna.page)).toBeGreaterThan(800)
  await anna.page.goto(anna.page.url().replace(/#.*/, '#/'))
  const worker = /\/assets\/main-[^/]*\.js$/
  let held = true
  await anna.page.route(worker, async (route) => {
    while (held) await new Promise((done) => setTimeout(done, 50))
    await route.continue()
  })
  await anna.page.reload()
  const row = anna.page.getByRole('navigation').getByRole('link').first()
  await expect(row).toContainText('do you read me?')
  await expect(anna.page.getByRole('navigation').getByRole('list')).toHaveAttribute('aria-busy', 'true')
  const sealed = await anna.page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve) => (request.onsuccess = () => resolve(request.result)))
    const db = await done(indexedDB.open('tidings-key'))
    const rows = (await done(db.transaction('key').objectStore('key').getAll())) as { wrapping?: CryptoKey; sealed?: ArrayBuffer }[]
    db.close()
    const extractable = rows.map(({ wrapping }) => wrapping?.extractable).filter((it) => it !== undefined)
    return { extractable, text: rows.map(({ sealed }) => (sealed === undefined ? '' : new TextDecoder('latin1').decode(sealed))).join('') }
  })
  expect(sealed.extractable).toEqual([false])
  expect(sealed.text.length).toBeGreaterThan(300)
  expect(sealed.text).not.toMatch(/read me|account|conversation/)
  expect(await anna.page.evaluate(() => JSON.stringify(localStorage))).not.toContain('read me')
  // What is opened meanwhile is there when the core is.
  await row.click()
  held = false
  await anna.expectTick('do you read me?', 'Delivered')
})

test('log out wipes everything', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('a secret')
  await anna.expectTick('a secret', 'Delivered')
  await expect.poll(() => safe(anna.page)).toEqual(['database', 'snapshot'])
  await anna.page.getByRole('button', { name: 'Settings' }).click()
  await anna.page.getByRole('button', { name: 'Log out' }).click()
  await anna.page.getByRole('dialog').getByRole('button', { name: 'Log out' }).click()
  await expect(anna.page.getByRole('heading', { name: 'Welcome to Tidings' })).toBeVisible()
  await anna.page.reload()
  await expect(anna.page.getByRole('heading', { name: 'Welcome to Tidings' })).toBeVisible()
  // The new key, for whoever signs in next.
  expect(await safe(anna.page)).toEqual(['database'])
})

test('the browser throws its storage away: the page says so, and one signs in again', async ({ meet, server }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('before')
  await anna.expectTick('before', 'Delivered')

  const { page } = anna
  await page.goto('about:blank')
  const browser = await anna.context.newCDPSession(page)
  await browser.send('Storage.clearDataForOrigin', { origin: server.url, storageTypes: 'indexeddb,file_systems,cache_storage,service_workers' })
  await page.goto(server.url)
  await expect(page.getByText('This browser has thrown away')).toBeVisible()
  await page.getByLabel('Phone number').fill(anna.phone)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByLabel('Code', { exact: true }).fill(await server.code(anna.phone))
  await expect(page.getByRole('navigation')).toBeVisible({ timeout: 30_000 })
  await bram.enter()
  await bram.say('after')
  await anna.enter()
  await expect(anna.bubble('after')).toBeVisible()
})
