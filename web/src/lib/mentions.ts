// People who are named in a text. On the wire a mention is a range of bytes of the text's UTF-8; here of characters.
import type { Mention, Mentioned } from './core/types.ts'

export interface Named {
  account: string
  /** As it stands in the text, with the sign before it. */
  text: string
}

const bytes = (text: string): number => new TextEncoder().encode(text).length

/** What is being typed after the last `@` before the cursor; undefined if no name is. */
export function asked(text: string, cursor: number): string | undefined {
  return text.slice(0, cursor).match(/(?:^|\s)@([^\s@]{0,40})$/u)?.[1]
}

/** Where those who were chosen still stand in the text, each once. */
export function ranges(text: string, named: readonly Named[]): Mention[] {
  const found: Mention[] = []
  let from = 0
  for (const { account, text: name } of named.toSorted((a, b) => text.indexOf(a.text) - text.indexOf(b.text))) {
    const at = text.indexOf(name, from)
    if (at < 0) continue
    from = at + name.length
    found.push({ account, start: bytes(text.slice(0, at)), len: bytes(name) })
  }
  return found
}

/** The text in parts, some of which name somebody. Ranges that do not fit the text are left out. */
export function parts(text: string, mentions: readonly Mentioned[]): { text: string; who?: Mentioned['who'] }[] {
  if (mentions.length === 0) return [{ text }]
  const encoded = new TextEncoder().encode(text)
  const decode = (from: number, to: number) => new TextDecoder('utf-8', { fatal: true }).decode(encoded.subarray(from, to))
  const all: { text: string; who?: Mentioned['who'] }[] = []
  let end = 0
  for (const { who, start, len } of mentions) {
    if (start < end || start + len > encoded.length) continue
    try {
      const between = decode(end, start)
      const name = decode(start, start + len)
      if (between !== '') all.push({ text: between })
      all.push({ text: name, who })
      end = start + len
    } catch {
      // It cuts a character in two.
    }
  }
  if (end < encoded.length) all.push({ text: new TextDecoder().decode(encoded.subarray(end)) })
  return all
}
