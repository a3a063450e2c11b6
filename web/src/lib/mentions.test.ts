import { describe, expect, it } from 'vitest'
import { asked, parts, ranges } from './mentions.ts'

const anna = { account: 'a', title: 'Anna' }

describe('mentions', () => {
  it('notices a name being typed, and nothing else', () => {
    expect(asked('hello @an', 9)).toBe('an')
    expect(asked('@', 1)).toBe('')
    expect(asked('mail me@home', 12)).toBeUndefined()
    expect(asked('@anna and', 9)).toBeUndefined()
  })

  it('counts bytes on the wire, and comes back as the same words', () => {
    const text = 'Só 🎉 @Anna, come'
    const [mention] = ranges(text, [{ account: 'a', text: '@Anna' }])
    expect(mention).toEqual({ account: 'a', start: 9, len: 5 })
    expect(parts(text, [{ who: anna, start: 9, len: 5 }])).toEqual([{ text: 'Só 🎉 ' }, { text: '@Anna', who: anna }, { text: ', come' }])
  })

  it('leaves out who was deleted again, and ranges that cut a character', () => {
    expect(ranges('nobody', [{ account: 'a', text: '@Anna' }])).toEqual([])
    expect(parts('🎉', [{ who: anna, start: 1, len: 2 }])).toEqual([{ text: '🎉' }])
    expect(parts('hi', [{ who: anna, start: 1, len: 9 }])).toEqual([{ text: 'hi' }])
  })
})
