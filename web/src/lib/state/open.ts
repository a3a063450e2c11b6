// From a number to the conversation with whoever has it.
import { take } from '../core/reply.ts'
import type { Failure } from '../core/messages.ts'
import type { App } from './app.svelte.ts'

export async function openPhone(app: App, phone: string): Promise<Failure | undefined> {
  const answer = await app.ask({ resolve: { who: { phone } } })
  if (!answer.well) return answer.failure
  const found = take(answer.reply, 'conversation')
  if (found === undefined) return undefined
  if (found.account !== null && app.chats.find(found.conversation) === undefined) {
    app.chats.strangers.set(found.conversation, { account: found.account, title: phone })
  }
  app.router.go({ name: 'chat', conversation: found.conversation, details: false }, true)
  return undefined
}
