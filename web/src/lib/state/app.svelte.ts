// What the whole page shares: the core behind it, how things stand, and what is on screen.
import { CoreClient } from '../core/client.ts'
import type { Answer, Engine, Failure, News } from '../core/messages.ts'
import { take } from '../core/reply.ts'
import type { Command, Connection, Reply, Status } from '../core/types.ts'
import { failureText } from '../i18n/failure.ts'
import { t } from '../i18n/language.svelte.ts'
import { full } from '../i18n/time.ts'
import { type Snapshot } from '../storage/snapshot.ts'
import { Chats } from './chats.svelte.ts'
import { pictures } from './pictures.svelte.ts'
import { known, self } from './profile.ts'
import { Remembered } from './remembered.ts'
import { Router } from './router.svelte.ts'
import { Toasts } from './toasts.svelte.ts'
import { Typing } from './typing.svelte.ts'

type Listener = (news: News) => void

export class App {
  engine = $state<Engine>('starting')
  status = $state.raw<Status>()
  connection = $state<Connection>('connecting')
  /** What comes back or over, as far as it is. */
  transfer = $state.raw<{ what: 'restore' | 'history'; done: number; total: number }>()
  readonly chats: Chats
  readonly typing = new Typing()
  readonly router = new Router()
  readonly toasts = new Toasts()
  readonly #core: CoreClient
  readonly #remembered = new Remembered()
  readonly #listeners = new Set<Listener>()

  constructor(makeWorker: () => Worker) {
    this.chats = new Chats(
      (command) => this.ask(command),
      () => this.#remember(),
    )
    pictures.start((command) => this.ask(command))
    this.#core = new CoreClient(makeWorker, (news) => this.#heard(news))
  }

  get signedIn(): boolean {
    return this.status?.account != null
  }

  /** This person, once signed in. */
  get me(): string {
    return this.status?.account ?? ''
  }

  ask(command: Command): Promise<Answer> {
    return this.#core.ask(command)
  }

  /** Asks, and tells the person if it failed. */
  async do(command: Command): Promise<Reply | undefined> {
    const answer = await this.ask(command)
    if (answer.well) return answer.reply
    this.tell(answer.failure)
    return undefined
  }

  tell(failure: Failure): void {
    this.toasts.add(failureText(failure), 'wrong')
  }

  /** Opens the core anew. */
  restart(): void {
    this.#core.restart()
  }

  /** Hears all news until the returned function is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async refresh(): Promise<void> {
    // Asked together, so that the list is there when it is known that somebody is signed in.
    void this.chats.refresh()
    const answer = await this.ask('status')
    if (!answer.well) return
    const status = take(answer.reply, 'status')
    if (status === undefined) return
    self.account = status.account ?? ''
    this.status = status
    if (status.account === null) this.#remembered.drop()
    else known.set(true)
    this.connection = status.connection
    this.#remember()
  }

  /** Wakes the core. */
  start(): void {
    this.#core.start()
  }

  /** Shows what was there last time, while the core wakes. */
  recall(snapshot: Snapshot | undefined): void {
    if (snapshot === undefined || this.status !== undefined) return
    self.account = snapshot.status.account ?? ''
    this.status = snapshot.status
    if (!this.chats.read) this.chats.list = snapshot.chats
  }

  #remember(): void {
    if (this.status?.account == null || !this.chats.read) return
    this.#remembered.set({ status: this.status, chats: this.chats.list })
  }

  #heard(news: News): void {
    const engine = take(news, 'engine')
    if (engine !== undefined) {
      this.engine = engine
      if (engine === 'ready') void this.refresh()
    }
    const connection = take(news, 'connection')
    if (connection !== undefined) this.connection = connection.state
    if (take(news, 'logged_out') !== undefined) this.#loggedOut()
    this.#lockReset(news)
    this.#transferred(news)
    this.typing.heard(news)
    this.chats.heard(news)
    for (const listener of this.#listeners) listener(news)
  }

  /** Somebody says that they forgot this number's PIN: whoever is here can keep them out. */
  #lockReset(news: News): void {
    const reset = take(news, 'lock_reset')
    if (reset === undefined) return
    this.toasts.add(t('lock.reset', { when: full(reset.opens_ms) }), 'wrong', { label: t('lock.keep'), run: () => void this.do('end_lock_reset') })
  }

  #transferred(news: News): void {
    const transfer = take(news, 'transfer')
    if (transfer !== undefined && transfer.what !== 'backup') {
      const { what, done, total } = transfer
      this.transfer = done < total ? { what, done, total } : undefined
    }
    const sent = take(news, 'history_sent')
    if (sent !== undefined) {
      this.transfer = undefined
      this.toasts.add(t('restore.sent', { count: sent.messages }))
    }
    const restored = take(news, 'restored')
    if (restored === undefined) return
    this.transfer = undefined
    this.toasts.add(t('restore.done', { count: restored.messages }))
  }

  #loggedOut(): void {
    known.set(false)
    this.#remembered.drop()
    this.status = undefined
    this.chats.clear()
    this.router.go({ name: 'home' })
    void this.refresh()
  }
}
