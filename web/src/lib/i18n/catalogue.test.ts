import { describe, expect, it } from 'vitest'
import { ar } from './ar.ts'
import { de } from './de.ts'
import { en, type Catalogue, type Text } from './en.ts'
import { es } from './es.ts'
import { hi } from './hi.ts'
import { fill } from './language.svelte.ts'
import { nl } from './nl.ts'

const others: Record<string, Catalogue> = { ar, de, es, hi, nl }

/** The values that a text asks for. */
function values(text: Text): string[] {
  const forms = typeof text === 'string' ? [text] : Object.values(text)
  return [...new Set(forms.flatMap((form) => [...form.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '')))].sort()
}

describe.each(Object.entries(others))('%s', (code, catalogue) => {
  it('says everything that English says, and nothing else', () => {
    expect(Object.keys(catalogue).sort()).toEqual(Object.keys(en).sort())
    for (const [key, text] of Object.entries(catalogue)) {
      const forms = typeof text === 'string' ? [text] : Object.values(text)
      expect(forms.every((form) => form.trim() !== ''), key).toBe(true)
    }
  })

  it('uses the same values', () => {
    for (const [key, text] of Object.entries(en)) expect(values(catalogue[key as keyof Catalogue]), key).toEqual(values(text))
  })

  it('has every form that its numbers need', () => {
    const needed = new Intl.PluralRules(code).resolvedOptions().pluralCategories
    for (const [key, text] of Object.entries(en)) {
      if (typeof text === 'string') continue
      const forms = catalogue[key as keyof Catalogue]
      expect(typeof forms, key).toBe('object')
      // Millions are nobody's unread messages; Spanish has a form of its own for them.
      const found = Object.keys(forms as object)
      expect(needed.filter((form) => !(code === 'es' && form === 'many') && !found.includes(form)), key).toEqual([])
    }
  })
})

describe('filling in', () => {
  it('chooses the form by the count', () => {
    expect(fill(en['chats.unread'], { count: 1 }, 'en')).toBe('1 unread message')
    expect(fill(en['chats.unread'], { count: 3 }, 'en')).toBe('3 unread messages')
    expect(fill(ar['chats.unread'], { count: 2 }, 'ar')).toBe('رسالتان غير مقروءتين')
  })

  it('keeps a name that runs the other way from turning the rest', () => {
    expect(fill('{name}: hi', { name: 'مرحبا' }, 'en')).toBe('\u2068مرحبا\u2069: hi')
  })
})
