// What one sees seldom: names after an @, a place, a backup file, a tab that sleeps, and one that cannot load Tidings.
import { conversation, look } from './look.ts'
import { expect, test } from './world.ts'

const ASLEEP_MS = 90_000

test('mentions, places and the way back from a file', async ({ meet }) => {
  test.setTimeout(300_000)
  const anna = await meet('Anna', { geolocation: { latitude: 52.09, longitude: 5.12 }, permissions: ['geolocation'] })
  const bram = await meet('Bram')
  await conversation(anna, bram)
  const { page } = anna
  await page.getByRole('button', { name: 'Share' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Place' }).click()
  await expect(page.getByText('52.09000, 5.12000')).toBeVisible()
  await look(page, 'share-place')
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await page.getByRole('button', { name: 'New group' }).click()
  await page.getByLabel('Name of the group').fill('Cinema')
  await page.getByLabel('Phone number').fill(bram.phone)
  await page.getByRole('button', { name: 'Add number' }).click()
  await page.getByRole('button', { name: 'Create group' }).click()
  await anna.say('Friday at eight?')
  await anna.field.pressSequentially('That is your film, @Br')
  await expect(page.getByRole('list', { name: 'People' }).getByRole('button', { name: 'Bram' })).toBeVisible()
  await look(page, 'mention')
  await anna.field.fill('')

  await page.getByRole('button', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Bring back from a file' }).click()
  await expect(page.getByLabel('Backup file')).toBeVisible()
  await look(page, 'restore-file')
})

test('a tab that the browser put to sleep, and one that cannot load Tidings', async ({ browser, server, meet }) => {
  test.setTimeout(240_000)
  const anna = await meet('Anna')
  // Its workers do nothing for a while, as when the browser saves power.
  const busy = (ms: number): void => {
    for (const until = Date.now() + ms; Date.now() < until; );
  }
  for (const worker of anna.page.workers()) void worker.evaluate(busy, ASLEEP_MS).catch(() => undefined)
  const second = await anna.context.newPage()
  await second.goto(server.url)
  await expect(second.getByText('Tidings is open in another tab')).toBeVisible({ timeout: 30_000 })
  await look(second, 'asleep')

  const old = await browser.newContext({ serviceWorkers: 'block' })
  await old.route('**/*.wasm', (route) => route.abort())
  const page = await old.newPage()
  await page.goto(server.url)
  await expect(page.getByRole('heading', { name: 'Tidings cannot start' })).toBeVisible({ timeout: 30_000 })
  await expect(page.getByText('Look at your connection')).toBeVisible()
  await look(page, 'trouble')
  await old.close()
})
