// A message in one line, as the list of conversations and quotes show it.
import type { Message } from './core/types.ts'
import { take } from './core/reply.ts'
import { t } from './i18n/language.svelte.ts'
import { noticeText } from './i18n/notice.ts'
import { line } from './text.ts'

export function bodyLine(body: Message['body']): string {
  const text = take(body, 'text')
  if (text !== undefined) return line(text.text)
  const notice = take(body, 'notice')
  if (notice !== undefined) return noticeText(notice.notice)
  const poll = take(body, 'poll')
  if (poll !== undefined) return t('preview.poll', { text: line(poll.question) })
  const place = take(body, 'location')
  if (place !== undefined) return place.name ? t('preview.place', { text: line(place.name) }) : t('share.place')
  const contact = take(body, 'contact')
  if (contact !== undefined) return t('preview.contact', { text: line(contact.name) })
  if (body === 'deleted') return t('message.deleted')
  if (take(body, 'unreadable') !== undefined) return t('message.unreadable')
  return t('message.unknown')
}

export function preview(message: Message, group: boolean): string {
  const text = bodyLine(message.body)
  if (take(message.body, 'notice') !== undefined || (!message.own && !group)) return text
  if (message.own) return group ? t('chats.you', { text }) : text
  return t('chats.somebody', { name: line(message.sender_title), text })
}
