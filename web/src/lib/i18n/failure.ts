// Why a command failed, in the person's language. What the server says beyond its code stays out: the code says it all.
import type { Failure } from '../core/messages.ts'
import { take } from '../core/reply.ts'
import type { Code } from '../core/types.ts'
import type { Key } from './en.ts'
import { t } from './language.svelte.ts'

const BY_NAME: Partial<Record<string, Key>> = {
  not_logged_in: 'failure.not_logged_in',
  already_logged_in: 'failure.already_logged_in',
  no_such_conversation: 'failure.no_such_conversation',
  no_such_message: 'failure.no_such_message',
  offline: 'failure.offline',
  lost: 'failure.lost',
}

const BY_CODE: Partial<Record<Code, Key>> = {
  invalid_phone: 'failure.invalid_phone',
  invalid_code: 'failure.invalid_code',
  rate_limited: 'failure.rate_limited',
  wrong_passphrase: 'failure.wrong_secret',
  wrong_pin: 'failure.wrong_pin',
  pin_required: 'lock.needed',
  blocked: 'failure.blocked',
  no_device: 'failure.no_device',
  group_full: 'failure.group_full',
  sms_failed: 'failure.sms_failed',
  overloaded: 'failure.overloaded',
  shutting_down: 'failure.overloaded',
  timeout: 'failure.overloaded',
  too_large: 'failure.too_long',
  forbidden: 'failure.not_allowed',
}

/** As [`failureText`], where a recovery code or passphrase was asked for. */
export function secretText(failure: Failure): string {
  const wrong = typeof failure === 'object' && failure !== null && take(failure, 'not_allowed') !== undefined
  return wrong ? t('failure.wrong_secret') : failureText(failure)
}

export function failureText(failure: Failure): string {
  if (typeof failure === 'string') return t(BY_NAME[failure] ?? 'failure.other')
  if (failure === null) return t('failure.other')
  const person = take(failure, 'no_such_person')
  if (person !== undefined) return t('failure.no_such_person', { phone: person.phone })
  if (take(failure, 'too_long') !== undefined) return t('failure.too_long')
  if (take(failure, 'not_allowed') !== undefined) return t('failure.not_allowed')
  if (take(failure, 'database') !== undefined) return t('failure.database')
  const refused = take(failure, 'refused')
  return t((refused !== undefined ? BY_CODE[refused.code] : undefined) ?? 'failure.other')
}
