// People in a group.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Person, binary, expect, test } from './world.ts'

async function makeGroup(maker: Person, name: string, phones: string[]): Promise<void> {
  const { page } = maker
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await page.getByRole('button', { name: 'New group' }).click()
  await page.getByLabel('Name of the group').fill(name)
  for (const phone of phones) {
    await page.getByLabel('Phone number').fill(phone)
    await page.getByRole('button', { name: 'Add number' }).click()
  }
  await page.getByRole('button', { name: 'Create group' }).click()
  await expect(maker.field).toBeVisible({ timeout: 30_000 })
}

function details(person: Person) {
  return person.page.getByRole('heading', { level: 1 }).getByRole('button').first().click()
}

test('three people in a group: made, joined by link, told who read, and left', { tag: '@core' }, async ({ meet, server }) => {
  test.setTimeout(180_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  const cas = await meet('Cas')
  await makeGroup(anna, 'Cinema', [bram.phone])
  await anna.say('Who is coming?')
  await anna.expectTick('Who is coming?', 'Delivered')
  await bram.enter()
  await expect(bram.bubble('Who is coming?')).toContainText('Anna')
  // Who has written is known by name.
  await bram.say('Me, gladly')
  await expect(anna.bubble('Me, gladly')).toContainText('Bram')

  // The link is shown, and leads in.
  await details(anna)
  await anna.page.getByRole('button', { name: 'New invite link' }).click()
  const dialog = anna.page.getByRole('dialog')
  await expect(dialog.getByRole('img', { name: /QR code/ })).toBeVisible()
  const link = await dialog.locator('.link').innerText()
  expect(link).toContain('/join#')
  await anna.page.keyboard.press('Escape')
  await cas.page.goto(`${server.url}/join#${link.split('#')[1]}`)
  await cas.page.getByRole('button', { name: 'Join group' }).click()
  await expect(cas.field).toBeVisible({ timeout: 30_000 })
  await cas.say('I am in')
  for (const { page } of [anna, bram]) await expect(page.getByRole('article').filter({ hasText: 'I am in' })).toContainText('Cas')

  await anna.say('Seven it is')
  await expect(bram.bubble('Seven it is')).toBeVisible()
  await anna.expectTick('Seven it is', 'Read')
  await anna.bubble('Seven it is').click({ button: 'right' })
  await anna.page.getByRole('menuitem', { name: 'Who has read it' }).click()
  await expect(dialog.getByRole('listitem')).toHaveCount(2)
  await expect(dialog.getByRole('img', { name: 'Read' })).toHaveCount(2)
  await anna.page.keyboard.press('Escape')

  // Admins decide who stays.
  await anna.page.getByRole('button', { name: /^Manage .*Bram/ }).click()
  await dialog.getByRole('button', { name: 'Remove from group' }).click()
  await expect(bram.page.getByText('You are no longer in this group.')).toBeVisible()
  await details(cas)
  await cas.page.getByRole('button', { name: 'Leave group' }).click()
  await cas.page.getByRole('dialog').getByRole('button', { name: 'Leave group' }).click()
  await expect(cas.page.getByText('You are no longer in this group.')).toBeVisible()
  await expect(anna.page.getByText(/Cas.* left/).first()).toBeVisible()
})

test('a link that asks an admin: who comes is let in, or not', async ({ meet, server }) => {
  test.setTimeout(180_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await makeGroup(anna, 'Cinema', [])
  await details(anna)
  await anna.page.getByLabel('An admin has to agree').check()
  await anna.page.getByRole('button', { name: 'New invite link' }).click()
  const link = await anna.page.getByRole('dialog').locator('.link').innerText()
  await anna.page.keyboard.press('Escape')
  await bram.page.goto(`${server.url}/join#${link.split('#')[1]}`)
  await bram.page.getByRole('button', { name: 'Join group' }).click()
  await expect(bram.page.getByText(/You asked to come in/)).toBeVisible()
  await anna.page.getByRole('button', { name: /^Let / }).click()
  await expect(bram.page.getByRole('navigation').getByRole('link', { name: /Cinema/ })).toBeVisible({ timeout: 30_000 })
})

test('a chat is kept as one wants it: starred, pinned, muted, archived, a draft', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('the door code is 4711')
  await anna.expectTick('the door code', 'Delivered')
  await anna.bubble('the door code').click({ button: 'right' })
  await anna.page.getByRole('menuitem', { name: 'Star' }).click()
  await expect(anna.bubble('the door code').getByTitle('Starred')).toBeVisible()
  await anna.bubble('the door code').click({ button: 'right' })
  await anna.page.getByRole('menuitem', { name: 'Pin for everyone' }).click()
  await bram.enter()
  await expect(bram.bubble('the door code').getByTitle('Pinned')).toBeVisible()

  await details(anna)
  await anna.page.getByRole('button', { name: 'Starred messages' }).click()
  await expect(anna.page.getByRole('dialog')).toContainText('4711')
  await anna.page.keyboard.press('Escape')
  await anna.page.getByRole('button', { name: 'Mute', exact: true }).click()
  await expect(anna.page.getByRole('button', { name: 'Unmute' })).toBeVisible()
  await anna.field.fill('half a thought')
  await anna.page.keyboard.press('Escape')
  await anna.page.keyboard.press('Escape')
  await expect(anna.page.getByRole('navigation').getByText('Draft:')).toContainText('half a thought')
  await anna.enter()
  await expect(anna.field).toHaveValue('half a thought')
  await details(anna)
  await anna.page.getByRole('button', { name: 'Archive', exact: true }).click()
  await expect(anna.page.getByRole('button', { name: /Archive \(/ })).toBeVisible()
})

test('browsers and a terminal in one group', async ({ meet, server }) => {
  test.setTimeout(180_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  const home = mkdtempSync(join(tmpdir(), 'tidings-terminal-'))
  const env = { ...process.env, TIDINGS_HOME: home, TIDINGS_SERVER: `http://${server.address}` }
  const dora = (...args: string[]) => execFileSync(binary(), args, { env, stdio: 'pipe' }).toString()
  const phone = '+31617000001'
  dora('register', phone, '--request')
  dora('register', phone, '--name', 'Dora', '--code', await server.code(phone))

  await makeGroup(anna, 'Cinema', [bram.phone, phone])
  await anna.say('Who is coming?')
  await bram.enter()
  await expect(bram.bubble('Who is coming?')).toBeVisible()
  dora('send', 'Cinema', 'Dora is, from a terminal', '--wait', 'sent')
  for (const person of [anna, bram]) await expect(person.bubble('from a terminal')).toContainText('Dora')
  await bram.say('And me')
  await bram.expectTick('And me', 'Sent')
  const history = dora('history', 'Cinema')
  expect(history).toContain('Who is coming?')
  expect(history).toContain('And me')
  rmSync(home, { recursive: true, force: true })
})
