// The number's lock, reports, and the end of an account.
import { expect, test } from './world.ts'

test('a PIN keeps others out of the number, and the account can be deleted', async ({ meet, server, browser }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('hello')
  await anna.expectTick('hello', 'Delivered')
  await bram.enter()
  await bram.say('buy this')
  await expect(anna.bubble('buy this')).toBeVisible()
  const { page } = anna
  const dialog = page.getByRole('dialog')

  await page.getByRole('heading', { level: 1 }).getByRole('button').first().click()
  await page.getByRole('button', { name: 'Report' }).click()
  await dialog.getByLabel('What it is about').fill('Sells what is not theirs')
  await dialog.getByLabel(/Attach/).check()
  await dialog.getByRole('button', { name: 'Report' }).click()
  await expect(page.getByText('Reported.')).toBeVisible()

  await page.getByRole('button', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Set a PIN' }).click()
  await dialog.getByLabel(/^PIN/).fill('4711')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText(/On since/)).toBeVisible()

  const context = await browser.newContext()
  const thief = await context.newPage()
  await thief.goto(server.url)
  await thief.getByLabel('Phone number').fill(anna.phone)
  await thief.getByRole('button', { name: 'Send me a code' }).click()
  await thief.getByLabel('Code', { exact: true }).fill(await server.code(anna.phone))
  await expect(thief.getByText('This number is locked with a PIN.')).toBeVisible({ timeout: 30_000 })
  await thief.getByLabel(/^PIN/).fill('0000')
  await thief.getByRole('button', { name: 'Log in' }).click()
  await expect(thief.getByText('This is not the PIN of this number.')).toBeVisible()
  await context.close()

  await page.getByRole('button', { name: 'Delete account' }).click()
  await dialog.getByLabel('Type your number').fill(bram.phone)
  await dialog.getByLabel(/^PIN/).fill('4711')
  await dialog.getByRole('button', { name: 'Delete account' }).click()
  await expect(dialog.getByRole('alert')).toContainText('This is not your number.')
  await dialog.getByLabel('Type your number').fill(anna.phone)
  await dialog.getByRole('button', { name: 'Delete account' }).click()
  await expect(page.getByRole('heading', { name: 'Welcome to Tidings' })).toBeVisible({ timeout: 30_000 })
})
