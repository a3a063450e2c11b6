// Finding what was said, and going there.
import { expect, test } from './world.ts'

test('search in a chat and over all chats leads to the message, and back to the newest', async ({ meet }) => {
  test.setTimeout(180_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('The harbour at dawn')
  for (let line = 1; line <= 70; line += 1) await anna.say(`Line ${line}`)
  await anna.expectTick('Line 70', 'Delivered')
  await bram.page.reload()

  // Over all chats: the page has the newest sixty messages only, and goes further.
  await bram.page.getByLabel('Search conversations').fill('harb')
  const hit = bram.page.getByRole('navigation').getByRole('button', { name: /harbour at dawn/ })
  await expect(hit.locator('mark')).toHaveText('harb')
  await hit.click()
  await expect(bram.bubble('The harbour at dawn')).toBeFocused()
  await expect(bram.bubble('Line 70')).toHaveCount(0)
  await bram.page.getByRole('button', { name: 'To the newest message' }).click()
  await expect(bram.bubble('Line 70')).toBeVisible()

  // In this one, beside it.
  await bram.page.getByRole('button', { name: 'Search in this conversation' }).click()
  const panel = bram.page.getByRole('region', { name: 'Search in this conversation' })
  await panel.getByRole('searchbox').fill('line 4')
  await panel.getByRole('button', { name: /Line 45/ }).click()
  await expect(bram.bubble('Line 45')).toBeFocused()
  await panel.getByRole('searchbox').fill('nowhere')
  await expect(panel.getByText('No message with these words')).toBeVisible()

  // Reading on from there comes to the end again.
  const messages = bram.page.getByRole('region', { name: 'Messages' })
  await expect(async () => {
    await messages.evaluate((element) => (element.scrollTop = element.scrollHeight))
    await expect(bram.bubble('Line 70')).toBeVisible({ timeout: 500 })
  }).toPass()
})
