// One's own names for people, and who of them is here.
import { expect, test } from './world.ts'

const CARDS = ['BEGIN:VCARD', 'VERSION:3.0', 'FN:Bram from the boat', 'TEL;TYPE=cell:PHONE', 'END:VCARD', 'BEGIN:VCARD', 'VERSION:3.0', 'FN:Nobody Here', 'TEL:06 87 65 43 99', 'END:VCARD', ''].join('\r\n')

test('an address book: a file, who is here, another name, and out of it', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  const { page } = anna
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await page.getByRole('button', { name: 'Take over a vCard file' }).click()
  await dialog.getByLabel('vCard file', { exact: true }).setInputFiles({ name: 'a.vcf', mimeType: 'text/vcard', buffer: Buffer.from(CARDS.replace('PHONE', bram.phone)) })
  await expect(dialog.getByText('+31687654399')).toBeVisible()
  await dialog.getByRole('button', { name: /^Add/ }).click()
  await expect(page.getByText('contacts were added')).toBeVisible()
  await page.getByRole('button', { name: 'See who is here' }).click()
  const row = (name: string) => page.getByRole('region', { name: 'Contacts' }).getByRole('listitem').filter({ hasText: name })
  await expect(row('Nobody Here')).toContainText('Not found here')

  // One's own name is what the list says, whatever they call themselves.
  await row('Bram from the boat').getByRole('button').first().click()
  await anna.say('Ahoy')
  await anna.expectTick('Ahoy', 'Delivered')
  await expect(page.getByRole('navigation').getByRole('link').first()).toContainText('Bram from the boat')
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await row('Bram from the boat').getByRole('button', { name: /Edit/ }).click()
  await dialog.getByLabel('Name').fill('Captain')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('navigation').getByRole('link').first()).toContainText('Captain')
  await row('Nobody Here').getByRole('button', { name: /Edit/ }).click()
  await dialog.getByRole('button', { name: 'Remove from contacts' }).click()
  await expect(row('Nobody Here')).toHaveCount(0)

  await page.getByRole('button', { name: 'Settings' }).click()
  await page.getByLabel('Who adds me to groups').selectOption('contacts')
  await expect(page.getByText('Saved.')).toBeVisible()
  await page.reload()
  await expect(page.getByLabel('Who adds me to groups')).toHaveValue('contacts')
})
