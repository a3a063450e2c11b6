// What the core says in a conversation, in the person's language.
import { take, tagOf } from '../core/reply.ts'
import type { Notice, Person } from '../core/types.ts'
import { ownName, self } from '../state/profile.ts'
import { line } from '../text.ts'
import type { Key } from './en.ts'
import { en } from './en.ts'
import { duration } from './time.ts'
import { language, t } from './language.svelte.ts'

export function noticeText(notice: Notice): string {
  const added = take(notice, 'added')
  if (added) return t('notice.added', { by: name(added.by), who: names(added.who) })
  const removed = take(notice, 'removed')
  if (removed) return t('notice.removed', { by: name(removed.by), who: names(removed.who) })
  const created = take(notice, 'group_created')
  if (created) return t('notice.group_created', { by: name(created.by) })
  const left = take(notice, 'left')
  if (left) return t('notice.left', { who: name(left.who) })
  const deleted = take(notice, 'account_deleted')
  if (deleted) return t('notice.account_deleted', { who: name(deleted.who) })
  const joined = take(notice, 'joined_by_link')
  if (joined) return t('notice.joined_by_link', { who: name(joined.who) })
  const number = take(notice, 'safety_number_changed')
  if (number) return t('notice.safety_number_changed', { who: name(number.who) })
  const admins = take(notice, 'admins_changed')
  if (admins) {
    const parts = []
    if (admins.named.length > 0) parts.push(t('notice.admins_named', { by: name(admins.by), who: names(admins.named) }))
    if (admins.dismissed.length > 0) parts.push(t('notice.admins_dismissed', { by: name(admins.by), who: names(admins.dismissed) }))
    return parts.join(' ')
  }
  const rules = take(notice, 'rules_changed')
  if (rules) return t('notice.rules_changed', { by: name(rules.by) })
  const renamed = take(notice, 'renamed')
  if (renamed) return renamed.name === null ? t('notice.unnamed', { by: name(renamed.by) }) : t('notice.renamed', { by: name(renamed.by), name: line(renamed.name) })
  const described = take(notice, 'described')
  if (described) return t('notice.described', { by: name(described.by) })
  const pictured = take(notice, 'pictured')
  if (pictured) return t('notice.pictured', { by: name(pictured.by) })
  const timer = take(notice, 'timer_set')
  if (timer) return timer.seconds === null ? t('notice.timer_off', { by: name(timer.by) }) : t('notice.timer_set', { by: name(timer.by), time: duration(timer.seconds) })
  const key = `notice.${tagOf(notice)}`
  return key in en ? t(key as Key) : t('message.unknown')
}

function name(person: Person): string {
  // The core calls this person by their number; the others see a name. «You» alone would not fit the sentence everywhere.
  if (person.account === self.account) return line(ownName()) || t('notice.self', { name: line(person.title) })
  return line(person.title) || t('chat.nameless')
}

function names(people: Person[]): string {
  return new Intl.ListFormat(language.locale).format(people.map(name))
}
