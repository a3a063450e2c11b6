// What a conversation is called.
import type { Conversation } from './core/types.ts'
import { t } from './i18n/language.svelte.ts'
import { line } from './text.ts'

export function chatTitle(chat: Pick<Conversation, 'kind' | 'title'>): string {
  if (chat.kind === 'self') return t('chat.self')
  return line(chat.title) || t('chat.nameless')
}
