import { describe, expect, it } from 'vitest'
import { begin, initials, isJumbo, line, phone, pieces, surplus } from './text.ts'

describe('pieces', () => {
  it('finds links and leaves the sentence its full stop', () => {
    expect(pieces('see https://example.org/a?b=c. ok')).toEqual([
      { kind: 'text', text: 'see ' },
      { kind: 'link', text: 'https://example.org/a?b=c', url: 'https://example.org/a?b=c' },
      { kind: 'text', text: '. ok' },
    ])
  })

  it('makes links of nothing else', () => {
    for (const text of ['javascript:alert(1)', 'data:text/html,<b>', '<a href="https:">x</a>', 'http://']) {
      expect(pieces(text).filter(({ kind }) => kind === 'link'), text).toEqual([])
    }
  })

  it('ends a link where something turns the direction', () => {
    expect(pieces('https://good.org/\u202egro.live')[0]).toMatchObject({ text: 'https://good.org/' })
  })

  it('loses nothing', () => {
    const text = 'a https://x.org, b\nhttp://y.org/(z)'
    expect(pieces(text).map((piece) => piece.text).join('')).toBe(text)
  })
})

describe('line', () => {
  it('is one line, without what turns the direction of what follows', () => {
    expect(line('a\n\tb\u202ec\u0000d')).toBe('a bc d')
  })
})

describe('begin', () => {
  it('cuts no character in two', () => {
    expect(begin('ab😀', 3)).toBe('ab')
    expect(begin('ab😀', 4)).toBe('ab😀')
  })
})

describe('surplus', () => {
  it.each([
    ['a', 32 * 1024, 0],
    ['a', 32 * 1024 + 7, 7],
    ['é', 16 * 1024, 0],
    ['😀', 8 * 1024, 0],
    ['😀', 8 * 1024 + 2, 2],
    ['नि', 6_000, 6_000 - Math.floor((32 * 1024) / 6)],
  ])('%s, %i times', (part, times, over) => expect(surplus(part.repeat(times))).toBe(over))
})

describe('initials', () => {
  it.each([
    ['Anna de Vries', 'AV'],
    ['bram', 'B'],
    ['+31612345678', '78'],
    ['😀', '?'],
    ['', '?'],
    ['محمد علي', 'مع'],
  ])('%s', (title, letters) => expect(initials(title)).toBe(letters))
})

describe('jumbo', () => {
  it.each([
    ['😀', true],
    ['👩‍👩‍👧 ❤️', true],
    ['🇳🇱', true],
    ['12', false],
    ['ok 😀', false],
    ['', false],
  ])('%s', (text, large) => expect(isJumbo(text)).toBe(large))
})

describe('phone', () => {
  it.each([
    ['+31 6 1234-5678', '+31612345678'],
    ['0031612345678', '+31612345678'],
    ['\u202a+31612345678\u202c', '+31612345678'],
    ['0612345678', undefined],
    ['+31', undefined],
    ['hello', undefined],
  ])('%s', (text, number) => expect(phone(text)).toBe(number))
})
