// Text as people wrote it, in pieces that can be shown. Nothing of it is ever taken as HTML.

type Piece = { kind: 'text'; text: string } | { kind: 'link'; text: string; url: string }

const LINK = /https?:\/\/[^\s<>"'\u202a-\u202e\u2066-\u2069]+/giu
/** What ends a sentence, not an address. */
const TRAIL = /[.,;:!?)\]}»”’…]+$/u

export function pieces(text: string): Piece[] {
  const found: Piece[] = []
  let end = 0
  for (const match of text.matchAll(LINK)) {
    const address = match[0].replace(TRAIL, '')
    const url = safeUrl(address)
    if (url === undefined) continue
    if (match.index > end) found.push({ kind: 'text', text: text.slice(end, match.index) })
    found.push({ kind: 'link', text: address, url })
    end = match.index + address.length
  }
  if (end < text.length) found.push({ kind: 'text', text: text.slice(end) })
  return found
}

function safeUrl(address: string): string | undefined {
  try {
    const url = new URL(address)
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined
  } catch {
    return undefined
  }
}

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s)+$/u
const JUMBO_MAX = 24

/** A few emoji and nothing else: shown large. */
export function isJumbo(text: string): boolean {
  return text.length <= JUMBO_MAX && EMOJI_ONLY.test(text) && /\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(text)
}

/** Longer texts are shown in part until somebody asks for the rest. */
export const LONG_MAX = 2_000

/** The beginning, without cutting a character in two. */
export function begin(text: string, max: number): string {
  if (text.length <= max) return text
  const cut = text.slice(0, max)
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut
}

/** As `TEXT_MAX_BYTES` of the core. */
const TEXT_MAX_BYTES = 32 * 1024
const room = new Uint8Array(TEXT_MAX_BYTES)

/** How many characters, as people count them, do not fit into one message. */
export function surplus(text: string): number {
  if (text.length <= TEXT_MAX_BYTES / 3) return 0
  const { read } = new TextEncoder().encodeInto(text, room)
  return read === text.length ? 0 : [...new Intl.Segmenter().segment(text.slice(read))].length
}

/** The part of a text where what was looked for stands, in one line. */
export function snippet(text: string, wanted: string): { before: string; match: string; after: string } {
  const flat = text.replace(TURNS, '').replace(/[\p{Cc}\s]+/gu, ' ')
  const first = wanted.trim().split(/\s+/u)[0] ?? ''
  const lower = flat.toLocaleLowerCase()
  // In a few scripts the lower case is longer.
  const at = first === '' || lower.length !== flat.length ? -1 : lower.indexOf(first.toLocaleLowerCase())
  if (at < 0) return { before: begin(flat, SNIPPET_MAX), match: '', after: '' }
  const from = Math.max(at - SNIPPET_BEFORE, 0)
  const end = at + first.length
  return { before: (from > 0 ? '…' : '') + flat.slice(from, at), match: flat.slice(at, end), after: begin(flat.slice(end), SNIPPET_MAX) }
}

const SNIPPET_MAX = 160
const SNIPPET_BEFORE = 30
/** What turns the direction of what follows. */
const TURNS = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/gu

/** One line for the list: no line breaks, no control characters, nothing that turns the direction of what follows. */
export function line(text: string): string {
  return begin(text, 200)
    .replace(TURNS, '')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
}

/** Up to two letters for a picture that there is not. */
export function initials(title: string): string {
  const words = title.replace(/[^\p{L}\p{N}\s+]/gu, ' ').trim().split(/\s+/u)
  if (title.startsWith('+')) return title.slice(-2)
  const letters = words.filter(Boolean).map((word) => [...word][0] ?? '')
  return (letters.length > 1 ? `${letters[0]}${letters[letters.length - 1]}` : (letters[0] ?? '?')).toLocaleUpperCase()
}

/** As numbers are typed, to E.164; undefined if it cannot be one. */
export function phone(text: string): string | undefined {
  const digits = text.replace(/[\s().\-\u2010-\u2015\u202a-\u202e\u2066-\u2069]/gu, '').replace(/^00/, '+')
  return /^\+[1-9]\d{6,14}$/.test(digits) ? digits : undefined
}
