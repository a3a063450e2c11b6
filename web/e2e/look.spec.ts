// Every screen, in both themes, at the width of a phone and of a desktop: axe finds nothing, nothing is cut off, and
// the pictures are kept (SCREENSHOTS=1 writes them into docs/web).
import axe from 'axe-core'
import type { Page } from '@playwright/test'
import { resolve } from 'node:path'
import { type Person, expect, test } from './world.ts'

const FOLDER = resolve('../docs/web')
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 }, narrow: { width: 320, height: 640 } }

async function look(page: Page, name: string, sizes = Object.keys(SIZES)): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    for (const [size, viewport] of Object.entries(SIZES)) {
      if (!sizes.includes(size)) continue
      await page.setViewportSize(viewport)
      // Two frames: rows are measured in the first.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
      if (process.env['SCREENSHOTS'] && size !== 'narrow') {
        await page.screenshot({ path: `${FOLDER}/${name}-${size}-${theme}.png` })
      }
      await page.evaluate(axe.source)
      const found = await page.evaluate(async () => {
        const run = (window as unknown as { axe: typeof axe }).axe
        const result = await run.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
      })
      expect(found, `${name}, ${size}, ${theme}`).toEqual([])
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
      const culprits = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1).map((e) => e.outerHTML.slice(0, 100)).slice(0, 4))
      expect(wide ? culprits : [], `${name} at ${size} is wider than its screen`).toEqual([])
    }
  }
  await page.setViewportSize(SIZES.desktop)
}

async function conversation(anna: Person, bram: Person): Promise<void> {
  await anna.open(bram.phone)
  await anna.say('Hi Bram! Are you coming on Saturday?')
  await anna.expectTick('Hi Bram', 'Delivered')
  await bram.enter()
  await bram.say('Of course 😊 What shall I bring?')
  await expect(anna.bubble('Of course')).toBeVisible()
  await anna.bubble('Of course').click({ button: 'right' })
  await anna.page.getByRole('menuitem', { name: 'Reply' }).click()
  await anna.say('Just yourself. The recipe is here: https://example.org/soup')
  await expect(bram.bubble('Just yourself')).toBeVisible()
  await bram.bubble('Just yourself').click({ button: 'right' })
  await bram.page.getByRole('menuitemcheckbox', { name: '❤️' }).click()
  await bram.say('Perfect.\nI take the train at ten, so I should be there before noon.')
  await bram.say('🎉')
  await expect(anna.bubble('🎉')).toBeVisible()
  await expect(anna.bubble('Just yourself').getByRole('button', { name: /❤️/ })).toBeVisible()
}

async function share({ page }: Person): Promise<void> {
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Share' }).click()
  await dialog.getByRole('button', { name: 'Poll' }).click()
  await dialog.getByLabel('Question').fill('What shall we cook?')
  await dialog.getByLabel('Answer 1').fill('Soup')
  await dialog.getByLabel('Answer 2').fill('Something with rice')
  await dialog.getByRole('button', { name: 'Send' }).click()
  await page.getByRole('button', { name: /Soup/ }).click()
  await expect(page.getByRole('button', { name: /Soup/ })).toContainText('1 vote')
  await page.getByRole('button', { name: 'Share' }).click()
  await dialog.getByRole('button', { name: 'Contact' }).click()
  await dialog.getByLabel('Their name').fill('Cas from the market')
  await dialog.getByLabel('Phone number').fill('+31687654388')
  await dialog.getByRole('button', { name: 'Send' }).click()
  await expect(page.getByText('Cas from the market').first()).toBeVisible()
}

test('every screen is accessible and looks as it should', async ({ browser, server, meet }) => {
  test.setTimeout(240_000)
  const fresh = await browser.newPage()
  await fresh.goto(server.url)
  await expect(fresh.getByRole('heading', { name: 'Welcome to Tidings' })).toBeVisible()
  await look(fresh, 'sign-up')
  await fresh.getByLabel('Phone number').fill('+31687654399')
  await fresh.getByRole('button', { name: 'Send me a code' }).click()
  await expect(fresh.getByRole('heading', { name: 'Your code' })).toBeVisible()
  await look(fresh, 'code')
  await fresh.close()

  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await look(anna.page, 'empty')
  await anna.page.getByRole('button', { name: 'New conversation' }).first().click()
  await look(anna.page, 'new')
  await anna.page.keyboard.press('Escape')
  await conversation(anna, bram)
  await look(anna.page, 'chat')

  await anna.bubble('Of course').first().click({ button: 'right' })
  await expect(anna.page.getByRole('menu')).toBeVisible()
  await look(anna.page, 'menu', ['desktop'])
  await anna.page.keyboard.press('Escape')
  await anna.page.getByRole('heading', { level: 1 }).getByRole('button').first().click()
  await look(anna.page, 'details')
  await anna.page.getByRole('button', { name: /Safety number/ }).click()
  await expect(anna.page.getByRole('dialog')).toContainText(/\d{5}/)
  await look(anna.page, 'safety')
  await anna.page.keyboard.press('Escape')
  await anna.page.getByRole('region', { name: 'Details' }).getByRole('button', { name: 'Back' }).click()
  await anna.page.keyboard.press('Escape')
  await look(anna.page, 'home')
  await anna.page.getByRole('button', { name: 'Settings' }).click()
  await look(anna.page, 'settings')
  await anna.page.getByLabel('Language').selectOption('ar')
  await expect(anna.page.locator('html')).toHaveAttribute('dir', 'rtl')
  await look(anna.page, 'settings-arabic')
  await anna.page.getByRole('navigation').getByRole('link').first().click()
  await look(anna.page, 'chat-arabic')
})

test('so do search, groups, backup and restore', async ({ browser, server, meet }) => {
  test.setTimeout(300_000)
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await conversation(anna, bram)
  await anna.page.getByRole('button', { name: 'Search in this conversation' }).click()
  const panel = anna.page.getByRole('region', { name: 'Search in this conversation' })
  await panel.getByRole('searchbox').fill('re')
  await expect(panel.getByRole('button', { name: /recipe/ })).toBeVisible()
  await look(anna.page, 'search')
  await anna.page.keyboard.press('Escape')
  await share(anna)
  await look(anna.page, 'share')
  await anna.page.getByRole('button', { name: 'Share' }).click()
  await look(anna.page, 'share-menu')
  await anna.page.keyboard.press('Escape')
  await anna.bubble('Of course').first().click({ button: 'right' })
  await anna.page.getByRole('menuitem', { name: 'Forward' }).click()
  await look(anna.page, 'forward')
  await anna.page.keyboard.press('Escape')
  await anna.page.keyboard.press('Escape')
  await anna.page.getByLabel('Search conversations').fill('sat')
  await expect(anna.page.getByRole('navigation').getByRole('button', { name: /Saturday/ })).toBeVisible()
  await look(anna.page, 'found')
  await anna.page.getByLabel('Search conversations').fill('')

  await anna.page.getByRole('button', { name: 'New conversation' }).first().click()
  await anna.page.getByRole('button', { name: 'New group' }).click()
  await anna.page.getByLabel('Name of the group').fill('Cinema')
  await anna.page.getByLabel('Phone number').fill(bram.phone)
  await anna.page.getByRole('button', { name: 'Add number' }).click()
  await anna.page.getByRole('button', { name: 'Create group' }).click()
  await anna.say('Friday at eight?')
  await anna.page.getByRole('heading', { level: 1 }).getByRole('button').first().click()
  await anna.page.getByRole('button', { name: 'Name and description' }).click()
  await anna.page.getByRole('textbox', { name: 'Description' }).fill('Films on Fridays, at the old harbour')
  await look(anna.page, 'group-edit')
  await anna.page.getByRole('button', { name: 'Save' }).click()
  await anna.page.getByLabel('Disappearing messages').selectOption({ label: '7 days' })
  await expect(anna.page.getByRole('region', { name: 'Messages' }).getByText('made new messages disappear')).toBeVisible()
  await look(anna.page, 'group')

  await anna.page.getByRole('button', { name: 'Settings' }).click()
  await anna.page.getByRole('button', { name: 'Set up a backup' }).click()
  await anna.page.getByRole('button', { name: 'Make a recovery code' }).click()
  await expect(anna.page.getByRole('dialog').locator('.code')).not.toBeEmpty()
  await look(anna.page, 'backup-code')
  await anna.page.getByLabel('I have written it down').check()
  await anna.page.getByRole('button', { name: 'Done' }).click()
  await expect(anna.page.getByText(/Backed up/)).toBeVisible({ timeout: 30_000 })
  await anna.page.getByText(/Backed up/).scrollIntoViewIfNeeded()
  await look(anna.page, 'backup')

  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(server.url)
  await page.getByLabel('Phone number').fill(anna.phone)
  await page.getByRole('button', { name: 'Send me a code' }).click()
  await page.getByLabel('Code', { exact: true }).fill(await server.code(anna.phone))
  await expect(page.getByRole('heading', { name: 'Welcome back' })).toBeVisible({ timeout: 30_000 })
  await look(page, 'restore')
  await context.close()
})
