// Numbers as people write them at home: without the code of their country.
import { phone } from './text.ts'

/** Codes of one and of two digits (ITU E.164); all others have three. */
const SHORT = new Set([
  1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66, 81, 82,
  84, 86, 90, 91, 92, 93, 94, 95, 98,
].map(String))
/** Where a 0 at the beginning belongs to the number. */
const KEEPS_ZERO = new Set(['39'])

/** The country's code of a number: `+31` of `+31612345678`. */
export function countryCode(number: string): string {
  const digits = number.replace(/\D/g, '')
  const length = [1, 2].find((length) => SHORT.has(digits.slice(0, length))) ?? 3
  return digits === '' ? '' : `+${digits.slice(0, length)}`
}

/** With a country's code; undefined if it can be no number. */
export function atHome(written: string, code: string): string | undefined {
  const number = phone(written)
  if (number !== undefined) return number
  const digits = written.replace(/[\s().\-\u2010-\u2015\u202a-\u202e\u2066-\u2069]/gu, '')
  if (!/^\d+$/.test(digits)) return undefined
  return phone(code + (KEEPS_ZERO.has(code.slice(1)) ? digits : digits.replace(/^0/, '')))
}
