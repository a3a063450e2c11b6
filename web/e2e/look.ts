// A screen looked at in both themes, at the width of a phone and of a desktop: axe finds nothing, nothing is cut off, and
// the picture is kept (SCREENSHOTS=1 writes it into docs/web, as WebP: a third of a PNG's size).
import axe from 'axe-core'
import type { Locator, Page } from '@playwright/test'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Person, expect } from './world.ts'

const FOLDER = resolve('../docs/web')
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 }, narrow: { width: 320, height: 640 } }
const QUALITY = 82

interface Options {
  /** Where it can be seen. */
  sizes?: (keyof typeof SIZES)[]
  /** What stands far down a long page. */
  at?: Locator
}

export async function look(page: Page, name: string, { sizes = ['phone', 'desktop', 'narrow'], at }: Options = {}): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    for (const size of sizes) {
      await page.setViewportSize(SIZES[size])
      await at?.evaluate((element) => element.scrollIntoView({ block: 'center' }))
      // Two frames: rows are measured in the first.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
      if (process.env['SCREENSHOTS'] && size !== 'narrow') {
        const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY })
        writeFileSync(`${FOLDER}/${name}-${size}-${theme}.webp`, Buffer.from(data, 'base64'))
      }
      await judge(page, `${name}, ${size}, ${theme}`)
    }
  }
  await devtools.detach()
  await page.setViewportSize(SIZES.desktop)
}

async function judge(page: Page, what: string): Promise<void> {
  await page.evaluate(axe.source)
  const found = await page.evaluate(async () => {
    const run = (window as unknown as { axe: typeof axe }).axe
    const result = await run.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
  })
  expect(found, what).toEqual([])
  const culprits = await page.evaluate(() => {
    if (document.documentElement.scrollWidth <= window.innerWidth) return []
    const wide = [...document.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1)
    return wide.map((element) => element.outerHTML.slice(0, 100)).slice(0, 4)
  })
  expect(culprits, `${what}: wider than its screen`).toEqual([])
}

/** Something to look at. */
export async function conversation(anna: Person, bram: Person): Promise<void> {
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
