// Two people talk.
import { expect, test } from './world.ts'

test('two people talk: ticks, replies, reactions, edits, deletions', { tag: '@core' }, async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('Hello Bram')
  await anna.expectTick('Hello Bram', 'Delivered')

  await bram.enter()
  await expect(bram.bubble('Hello Bram')).toBeVisible()
  await anna.expectTick('Hello Bram', 'Read')

  await bram.bubble('Hello Bram').hover()
  await bram.bubble('Hello Bram').getByRole('button', { name: 'What to do with this message' }).click()
  await bram.page.getByRole('menuitem', { name: 'Reply' }).click()
  await bram.say('Hello yourself')
  await expect(anna.bubble('Hello yourself')).toContainText('Hello Bram')

  await anna.bubble('Hello yourself').click({ button: 'right' })
  await anna.page.getByRole('menuitemcheckbox', { name: '👍' }).click()
  await expect(bram.bubble('Hello yourself').getByRole('button', { name: /👍/ })).toBeVisible()

  await bram.bubble('Hello yourself').click({ button: 'right' })
  await bram.page.getByRole('menuitem', { name: 'Edit' }).click()
  await bram.field.fill('Hello, you')
  await bram.field.press('Enter')
  await expect(anna.bubble('Hello, you')).toContainText('edited')

  await bram.bubble('Hello, you').click({ button: 'right' })
  await bram.page.getByRole('menuitem', { name: 'Delete' }).click()
  await bram.page.getByRole('dialog').getByRole('button', { name: 'Delete for everyone' }).click()
  await expect(anna.bubble('This message was deleted')).toBeVisible()
})
