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

test('hostile content is shown harmlessly', async ({ meet }) => {
  const anna = await meet('Anna')
  const bram = await meet('Bram')
  await anna.open(bram.phone)
  await anna.say('start')
  await anna.expectTick('start', 'Delivered')
  await bram.enter()
  const emoji = '👩‍👩‍👧‍👦'.repeat(2_400)
  for (const text of [...HOSTILE, emoji]) await anna.say(text)
  await anna.say('the end')
  await expect(bram.bubble('the end')).toBeVisible()

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
