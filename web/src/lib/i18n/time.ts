// Times as people of the language write them.
import { language, t } from './language.svelte.ts'
import { sameDay } from '../rows.ts'

/** Making a formatter costs more than using it a hundred times. */
const made = new Map<string, Intl.DateTimeFormat>()

function format(form: Intl.DateTimeFormatOptions, time: number): string {
  const key = language.locale + JSON.stringify(form)
  const formatter = made.get(key) ?? new Intl.DateTimeFormat(language.locale, form)
  made.set(key, formatter)
  return formatter.format(time)
}

const DAY_MS = 24 * 60 * 60 * 1000

export function clock(time: number): string {
  return format({ hour: 'numeric', minute: '2-digit' }, time)
}

/** Over a day's messages. */
export function day(time: number, now = Date.now()): string {
  if (sameDay(time, now)) return t('time.today')
  if (sameDay(time, now - DAY_MS)) return t('time.yesterday')
  const near = now - time < 6 * DAY_MS
  const form: Intl.DateTimeFormatOptions = near ? { weekday: 'long' } : { day: 'numeric', month: 'long', year: 'numeric' }
  return format(form, time)
}

/** In the list of conversations: as short as can be. */
export function brief(time: number, now = Date.now()): string {
  if (sameDay(time, now)) return clock(time)
  if (sameDay(time, now - DAY_MS)) return t('time.yesterday')
  const near = now - time < 6 * DAY_MS
  const form: Intl.DateTimeFormatOptions = near ? { weekday: 'short' } : { dateStyle: 'short' }
  return format(form, time)
}

/** When somebody was there last: as short as can be, with the time. */
export function moment(time: number, now = Date.now()): string {
  return sameDay(time, now) ? clock(time) : `${day(time, now)}, ${clock(time)}`
}

const UNITS = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]] as const

/** A span of time, in the largest unit that says it exactly. */
export function duration(seconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => seconds % length === 0) ?? UNITS[3]
  return new Intl.NumberFormat(language.locale, { style: 'unit', unit, unitDisplay: 'long' }).format(seconds / length)
}

export function full(time: number): string {
  return format({ dateStyle: 'full', timeStyle: 'short' }, time)
}
