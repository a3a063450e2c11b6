// A new version of the page: fetched whole beside the old one, offered, and taken by every tab at once.
import { type Server, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from './world.ts'

/** Stands before the server; once told so, it gives out a page of another version. */
class Front {
  next = false
  readonly #server: Server

  constructor(target: string) {
    this.#server = createServer((asked, answer) => {
      const headers = { ...asked.headers, 'accept-encoding': 'identity' }
      const forward = request(new URL(asked.url ?? '/', target), { method: asked.method, headers }, (got) => {
        const parts: Buffer[] = []
        got.on('data', (part: Buffer) => parts.push(part))
        got.on('end', () => {
          const body = this.#changed(asked.url ?? '/', Buffer.concat(parts))
          const kept = { ...got.headers }
          delete kept['content-length']
          delete kept.etag
          answer.writeHead(got.statusCode ?? 502, kept).end(body)
        })
      })
      forward.on('error', () => answer.destroy())
      asked.pipe(forward)
    })
  }

  #changed(url: string, body: Buffer): Buffer {
    if (!this.next) return body
    if (url === '/') return Buffer.from(body.toString().replace('<title>', '<meta name="version" content="next" /><title>'))
    if (url === '/sw.js') return Buffer.from(body.toString().replace(/const VERSION = '[^']*'/, "const VERSION = 'next'"))
    return body
  }

  start(): Promise<string> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(`http://localhost:${(this.#server.address() as AddressInfo).port}`)))
  }

  end(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

test('a new version waits, is offered, and is taken by all tabs', async ({ browser, server }) => {
  const front = new Front(`http://${server.address}`)
  const url = await front.start()
  const context = await browser.newContext()
  const first = await context.newPage()
  await first.goto(url)
  await first.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await first.reload()
  await expect.poll(() => first.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true)
  const second = await context.newPage()
  await second.goto(url)

  front.next = true
  await first.evaluate(() => navigator.serviceWorker.ready.then(async (registration) => void (await registration.update())))
  const offer = first.getByRole('button', { name: 'Reload' })
  await expect(offer).toBeVisible()
  // Until then, the old one: also for who opens it anew.
  await second.reload()
  await expect(second.locator('meta[name="version"]')).toHaveCount(0)
  await offer.click()
  for (const page of [first, second]) await expect(page.locator('meta[name="version"]')).toHaveCount(1)
  expect(await first.evaluate(() => caches.keys())).toEqual(['shell-next'])

  // Without any network it opens.
  await context.setOffline(true)
  await first.reload()
  await expect(first.getByRole('heading', { name: 'Welcome to Tidings' })).toBeVisible()
  await context.close()
  front.end()
})
