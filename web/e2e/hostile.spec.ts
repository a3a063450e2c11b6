// Whatever people send is text, and stays where it belongs.
import { expect, test } from './world.ts'

const HOSTILE = [
  '<img src=x onerror="window.broken=1"><script>window.broken=1</script>',
  'javascript:alert(1) https://example.org/"onmouseover="window.broken=1',
  '\u202eevil\u202c and \u2066isolate without an end',
  '\u200b\u200b\u200b\u2060',
  'a'.repeat(5_000),
  `Z${'\u0300'.repeat(400)}`,
  '{{constructor.constructor("window.broken=1")()}} {text} {name}',
]

const FAMILY = '👩‍👩‍👧‍👦'
/** As many emoji as go into one message. */
const MANY = FAMILY.repeat(1_310)

test('hostile content is shown harmlessly', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('start')
  await anna.expectTick('start', 'Delivered')
  await bram.enter()
  for (const text of [...HOSTILE, MANY]) await anna.say(text)
  await anna.say('the end')
  await expect(bram.bubble('the end')).toBeVisible()
  // Each of them came, also what shows nothing. Only what is near the screen is there.
  await bram.page.setViewportSize({ width: 1280, height: 6_000 })
  await expect(bram.page.getByRole('article')).toHaveCount(HOSTILE.length + 3)
  await bram.page.setViewportSize({ width: 1280, height: 800 })

  for (const { page } of [anna, bram]) {
    expect(await page.evaluate(() => 'broken' in window)).toBe(false)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
    expect(wide, 'nothing is wider than the page').toBe(false)
    const scroller = page.getByRole('region', { name: 'Messages' })
    expect(await scroller.evaluate((element) => element.scrollWidth > element.clientWidth)).toBe(false)
    expect(await page.locator('img[src="x"], article script').count()).toBe(0)
  }
  // Only what is http is a link.
  const links = await bram.page.getByRole('article').getByRole('link').evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href))
  expect(links.every((href) => href.startsWith('https://example.org/'))).toBe(true)
})

test('hostile names and questions are shown harmlessly', async ({ meet }) => {
  const name = '<b onclick="window.broken=1">\u202eannA\u200b</b>'
  const anna = await meet(name)
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.page.getByRole('button', { name: 'Share' }).click()
  const dialog = anna.page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Poll' }).click()
  await dialog.getByLabel('Question').fill('<img src=x onerror="window.broken=1">\u202eever?')
  await dialog.getByLabel('Answer 1').fill(`Z${'\u0300'.repeat(30)}`)
  await dialog.getByLabel('Answer 2').fill('\u2066'.repeat(20) + 'no')
  await dialog.getByRole('button', { name: 'Send' }).click()
  await expect(bram.page.getByRole('navigation').getByRole('link').first()).toContainText('<b onclick')
  await bram.enter()
  await expect(bram.page.getByRole('group', { name: /onerror/ })).toBeVisible()
  for (const { page } of [anna, bram]) {
    expect(await page.evaluate(() => 'broken' in window)).toBe(false)
    expect(await page.locator('img[src="x"], b[onclick]').count()).toBe(0)
    expect(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false)
  }
  // What turns the direction does not leave its line: the name is one line, without it.
  const shown = await bram.page.getByRole('navigation').getByRole('link').first().innerText()
  expect(shown).not.toMatch(/[\u202a-\u202e]/)
})

test('64 KB of emoji are too long: the page says so and keeps them', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('start')
  await anna.expectTick('start', 'Delivered')
  const text = FAMILY.repeat(2_620)
  await anna.field.fill(text)
  await expect(anna.page.getByText(/Too long for one message, by 1,31\d characters/)).toBeVisible()
  await expect(anna.page.getByRole('button', { name: 'Send' })).toBeDisabled()
  await anna.field.press('Enter')
  await expect(anna.field).toHaveValue(text)
  await anna.page.keyboard.press('Escape')
  await expect(anna.page.getByRole('navigation').getByText('Draft:')).toBeVisible()
  await anna.page.reload()
  await anna.enter()
  await expect(anna.field).toHaveValue(text)
  await anna.field.fill(MANY)
  await expect(anna.page.getByText('Too long for one message')).toHaveCount(0)
  await anna.field.press('Enter')
  await anna.expectTick(FAMILY, 'Delivered')
  await bram.enter()
  await expect(bram.bubble(FAMILY)).toHaveCount(1)
})

test('the page asks nobody else for anything, and runs under its policy', { tag: '@core' }, async ({ meet, server }) => {
  const anna = await meet('Anna')
  const asked = new Set<string>()
  anna.page.on('request', (request) => asked.add(new URL(request.url()).origin))
  const response = await anna.page.reload()
  await expect(anna.page.getByRole('heading', { name: 'No conversations yet' })).toBeVisible()
  expect([...asked]).toEqual([new URL(server.url).origin])
  const policy = response?.headers()['content-security-policy'] ?? ''
  if (process.env['TIDINGS_PAGE'] === undefined) {
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe-inline')
    expect(policy).not.toContain("'unsafe-eval'")
  }
})
