// The world of a test: a server of its own, with a folder of its own, and people with browsers.
import { type Browser, type BrowserContext, type Page, test as base, expect } from '@playwright/test'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const START_MS = 15_000
const WAIT_MS = 15_000

/** Everybody here comes from one address. */
const GENEROUS = {
  TIDINGS_LIMITS_CODES_PER_ADDRESS_PER_HOUR: '10000',
  TIDINGS_LIMITS_CODES_PER_MINUTE: '10000',
  TIDINGS_LIMITS_LOGINS_PER_ADDRESS_PER_HOUR: '10000',
  TIDINGS_LIMITS_CODE_INTERVAL_S: '0',
}

/** The binary: TIDINGS_BIN, else what was built last. */
export function binary(): string {
  const target = process.env['CARGO_TARGET_DIR'] ?? resolve('../target')
  const choices = [process.env['TIDINGS_BIN'] ?? '', join(target, 'release/tidings'), join(target, 'debug/tidings')]
  const found = choices.find((path) => path !== '' && existsSync(path))
  if (found === undefined) throw new Error('build tidings first: cargo build -p tidings-cli')
  return found
}

class Server {
  address = ''
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidings-web-'))
  #child: ChildProcess | undefined
  #said = ''
  /** How many codes were given out, by number. */
  readonly #given = new Map<string, number>()

  get url(): string {
    // TIDINGS_PAGE: the page from somewhere else, while it is being worked on.
    return process.env['TIDINGS_PAGE'] ?? `http://${this.address.replace('127.0.0.1', 'localhost')}`
  }

  /** At the same address as before. */
  async start(): Promise<void> {
    const listen = this.address === '' ? (process.env['TIDINGS_LISTEN_TEST'] ?? '127.0.0.1:0') : this.address
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDINGS_')))
    const child = spawn(binary(), ['serve', '--listen', listen, '--data', join(this.#folder, 'data')], {
      cwd: this.#folder,
      env: {
        ...env,
        ...GENEROUS,
        TIDINGS_LOG_LEVEL: 'warn', TIDINGS_HOME: join(this.#folder, 'home'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#said = ''
    this.#given.clear()
    const hear = (bytes: Buffer) => (this.#said += bytes.toString())
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const line = await this.waitFor(/listens on (\S+?):? /, START_MS)
    this.address = (line[1] ?? '').replace(/:$/, '')
  }

  async waitFor(pattern: RegExp, limit = WAIT_MS): Promise<RegExpMatchArray> {
    const end = Date.now() + limit
    for (;;) {
      const found = this.#said.match(pattern)
      if (found !== null) return found
      if (Date.now() > end) throw new Error(`the server never said ${pattern}; it said: ${this.#said}`)
      await new Promise((done) => setTimeout(done, 20))
    }
  }

  /** The newest code that was sent to this number; one that was not given out before. */
  async code(phone: string): Promise<string> {
    const pattern = new RegExp(`SMS to \\${phone}[^\\n]*?(\\d{6})(?![^\\n]*\\d{6})`, 'g')
    const end = Date.now() + WAIT_MS
    while (Date.now() < end) {
      const codes = [...this.#said.matchAll(pattern)].map(([, code]) => code ?? '')
      const given = this.#given.get(phone) ?? 0
      const last = codes.at(-1)
      if (last !== undefined && codes.length > given) {
        this.#given.set(phone, codes.length)
        return last
      }
      await new Promise((done) => setTimeout(done, 20))
    }
    throw new Error(`no code for ${phone}: ${this.#said}`)
  }

  /** It hears and says nothing until `resume`; what is sent to it meanwhile waits. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGKILL')
    await gone
  }

  async end(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** A person with a browser profile. */
export class Person {
  readonly name: string
  readonly phone: string
  readonly context: BrowserContext
  page: Page
  readonly #server: Server
  readonly complaints: string[] = []

  constructor(name: string, phone: string, server: Server, context: BrowserContext, page: Page) {
    this.name = name
    this.phone = phone
    this.#server = server
    this.context = context
    this.page = page
    this.watch(page)
  }

  /** Whatever a page complains of is a fault: errors, and what the content security policy refused. */
  watch(page: Page): void {
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('console', (message) => {
      const text = message.text()
      // A server that is away is part of some stories.
      if (message.type() === 'error' && !/ERR_|WebSocket connection|Failed to load resource/.test(text)) this.complaints.push(text)
    })
  }

  async signUp(): Promise<void> {
    await this.page.goto(this.#server.url)
    await this.page.getByLabel('Phone number').fill(this.phone)
    await this.page.getByLabel('Your name').fill(this.name)
    await this.page.getByRole('button', { name: 'Send me a code' }).click()
    await this.page.getByLabel('Code', { exact: true }).fill(await this.#server.code(this.phone))
    await expect(this.page.getByRole('heading', { name: 'No conversations yet' })).toBeVisible({ timeout: 30_000 })
  }

  async open(phone: string): Promise<void> {
    await this.page.getByRole('button', { name: 'New conversation' }).first().click()
    await this.page.getByLabel('Phone number').fill(phone)
    await this.page.getByRole('button', { name: 'Open conversation' }).click()
    await expect(this.field).toBeVisible()
  }

  get field() {
    return this.page.getByRole('textbox', { name: 'Write a message' })
  }

  async say(text: string): Promise<void> {
    await this.field.fill(text)
    await this.field.press('Enter')
  }

  bubble(text: string | RegExp) {
    return this.page.getByRole('article').filter({ hasText: text })
  }

  async expectTick(text: string, tick: string): Promise<void> {
    await expect(this.bubble(text).last().getByRole('img', { name: tick, exact: true })).toBeVisible()
  }

  /** The tab dies as when its process does, and another one is opened. */
  async crash(): Promise<void> {
    const dead = this.page
    const devtools = await this.context.newCDPSession(dead)
    const gone = dead.waitForEvent('crash')
    // There is nobody left to answer.
    void devtools.send('Page.crash').catch(() => undefined)
    await gone
    const address = dead.url()
    this.page = await this.context.newPage()
    this.watch(this.page)
    await this.page.goto(address)
    await dead.close()
  }

  /** Into the only conversation there is. */
  async enter(): Promise<void> {
    await this.page.getByRole('navigation').getByRole('link').first().click()
    await expect(this.field).toBeVisible()
  }
}

let number = 0

interface World {
  server: Server
  /** A person with a browser of their own, signed up. */
  meet: (name: string, options?: Parameters<Browser['newContext']>[0]) => Promise<Person>
}

export const test = base.extend<World>({
  server: async ({}, use) => {
    const server = new Server()
    await server.start()
    await use(server)
    await server.end()
  },
  meet: async ({ browser, server }, use) => {
    const people: Person[] = []
    await use(async (name, options) => {
      const context = await browser.newContext(options)
      number += 1
      const phone = `+316${String(12_000_000 + number)}`
      const person = new Person(name, phone, server, context, await context.newPage())
      people.push(person)
      await person.signUp()
      return person
    })
    for (const person of people) {
      expect(person.complaints, `${person.name}'s page complained`).toEqual([])
      await person.context.close()
    }
  },
})

export { expect }
