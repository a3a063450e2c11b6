// Trust and keyboards.
import { expect, test } from './world.ts'

test('safety numbers are the same on both sides, and blocking holds', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('hello')
  await anna.expectTick('hello', 'Delivered')
  await bram.enter()

  const numbers: string[] = []
  for (const { page } of [anna, bram]) {
    await page.getByRole('heading', { level: 1 }).getByRole('button').first().click()
    await page.getByRole('button', { name: /Safety number/ }).click()
    const digits = page.getByRole('dialog').locator('.digits')
    await expect(digits).toContainText(/\d{5}/)
    numbers.push(await digits.innerText())
    await page.getByRole('button', { name: /They match/ }).click()
    await expect(page.getByRole('dialog')).toBeHidden()
    await expect(page.getByRole('button', { name: /Safety number/ })).toContainText('Verified')
  }
  expect(numbers[0]).toBe(numbers[1])

  await bram.page.getByRole('button', { name: 'Block' }).click()
  await bram.page.getByRole('dialog').getByRole('button', { name: 'Block' }).click()
  await expect(bram.page.getByText('You blocked this person.')).toBeVisible()
  await anna.say('can you hear me?')
  await anna.expectTick('can you hear me?', 'Sent')
  await expect(bram.bubble('can you hear me?')).toHaveCount(0)
  await bram.page.getByRole('button', { name: 'Unblock' }).first().click()
  await expect(bram.bubble('can you hear me?')).toBeVisible()
})

test('everything works with the keyboard alone', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  const { page } = anna
  await page.getByRole('button', { name: 'New conversation' }).first().focus()
  await page.keyboard.press('Enter')
  await page.keyboard.type(bram.phone)
  await page.keyboard.press('Enter')
  await expect(anna.field).toBeFocused()
  await page.keyboard.type('by keyboard')
  await page.keyboard.press('Enter')
  await anna.expectTick('by keyboard', 'Delivered')

  // Into the messages, to the last one, its menu, a reaction.
  await page.getByRole('region', { name: 'Messages' }).focus()
  await page.keyboard.press('ArrowUp')
  await expect(anna.bubble('by keyboard')).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('menuitemcheckbox').first()).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(anna.bubble('by keyboard').getByRole('button', { name: /👍/ })).toBeVisible()
  await expect(anna.bubble('by keyboard')).toBeFocused()

  await page.keyboard.press('Escape')
  await expect(page.getByRole('heading', { name: 'Good to see you' })).toBeVisible()
})

test('typing is told, and forgotten', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('hello')
  await anna.expectTick('hello', 'Delivered')
  await bram.enter()
  await anna.field.pressSequentially('I am thinking')
  await expect(bram.page.getByText('typing…').first()).toBeVisible()
  await anna.field.fill('')
  await anna.page.keyboard.press('Escape')
  await expect(bram.page.getByText('typing…')).toHaveCount(0)
})

test('a language from right to left, kept over a reload', async ({ meet }) => {
  const anna = await meet('Anna')
  await anna.page.getByRole('button', { name: 'Settings' }).click()
  await anna.page.getByLabel('Language').selectOption('nl')
  await expect(anna.page.getByRole('heading', { name: 'Instellingen' })).toBeVisible()
  await anna.page.getByLabel('Taal').selectOption('ar')
  await anna.page.reload()
  await expect(anna.page.locator('html')).toHaveAttribute('dir', 'rtl')
  await expect(anna.page.getByRole('heading', { name: 'الإعدادات' })).toBeVisible()
})
