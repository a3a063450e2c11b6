// Times as people of the language write them.
import { language, t } from './language.svelte.ts'
import { sameDay } from '../rows.ts'

const DAY_MS = 24 * 60 * 60 * 1000

export function clock(time: number): string {
  return new Intl.DateTimeFormat(language.locale, { hour: 'numeric', minute: '2-digit' }).format(time)
}

/** Over a day's messages. */
export function day(time: number, now = Date.now()): string {
  if (sameDay(time, now)) return t('time.today')
  if (sameDay(time, now - DAY_MS)) return t('time.yesterday')
  const near = now - time < 6 * DAY_MS
  const form: Intl.DateTimeFormatOptions = near ? { weekday: 'long' } : { day: 'numeric', month: 'long', year: 'numeric' }
  return new Intl.DateTimeFormat(language.locale, form).format(time)
}

/** In the list of conversations: as short as can be. */
export function brief(time: number, now = Date.now()): string {
  if (sameDay(time, now)) return clock(time)
  if (sameDay(time, now - DAY_MS)) return t('time.yesterday')
  const near = now - time < 6 * DAY_MS
  const form: Intl.DateTimeFormatOptions = near ? { weekday: 'short' } : { dateStyle: 'short' }
  return new Intl.DateTimeFormat(language.locale, form).format(time)
}

export function full(time: number): string {
  return new Intl.DateTimeFormat(language.locale, { dateStyle: 'full', timeStyle: 'short' }).format(time)
}
