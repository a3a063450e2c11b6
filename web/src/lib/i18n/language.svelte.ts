// The page's language: texts from a catalogue per language, times and numbers as the language has them.
import { en, type Catalogue, type Key, type Text } from './en.ts'

export const LANGUAGES = ['en', 'nl', 'de', 'es', 'hi', 'ar'] as const
export type LanguageCode = (typeof LANGUAGES)[number]

/** In their own words. */
export const NAMES: Record<LanguageCode, string> = {
  en: 'English',
  nl: 'Nederlands',
  de: 'Deutsch',
  es: 'Español',
  hi: 'हिन्दी',
  ar: 'العربية',
}

const RIGHT_TO_LEFT: readonly LanguageCode[] = ['ar']
const CHOSEN = 'tidings.language'
const FIRST_STRONG_ISOLATE = String.fromCodePoint(0x2068)
const POP_ISOLATE = String.fromCodePoint(0x2069)

const CATALOGUES: Record<Exclude<LanguageCode, 'en'>, () => Promise<Catalogue>> = {
  nl: () => import('./nl.ts').then(({ nl }) => nl),
  de: () => import('./de.ts').then(({ de }) => de),
  es: () => import('./es.ts').then(({ es }) => es),
  hi: () => import('./hi.ts').then(({ hi }) => hi),
  ar: () => import('./ar.ts').then(({ ar }) => ar),
}

class Language {
  code = $state<LanguageCode>('en')
  texts = $state.raw<Catalogue>(en)

  /** The chosen language, else the first of the browser's that there is. */
  async load(): Promise<void> {
    const wishes = [localStorage.getItem(CHOSEN) ?? '', ...navigator.languages]
    const found = wishes.map((wish) => LANGUAGES.find((code) => wish.toLowerCase().startsWith(code))).find(Boolean)
    await this.#use(found ?? 'en')
  }

  async choose(code: LanguageCode): Promise<void> {
    localStorage.setItem(CHOSEN, code)
    await this.#use(code)
  }

  async #use(code: LanguageCode): Promise<void> {
    this.texts = code === 'en' ? en : await CATALOGUES[code]()
    this.code = code
    document.documentElement.lang = code
    document.documentElement.dir = RIGHT_TO_LEFT.includes(code) ? 'rtl' : 'ltr'
  }

  /** For `Intl`: the browser's own variant of the language, if it has one. */
  get locale(): string {
    return navigator.languages.find((wish) => wish.toLowerCase().startsWith(this.code)) ?? this.code
  }
}

export const language = new Language()

type Values = Record<string, string | number>

export function t(key: Key, values: Values = {}): string {
  return fill(language.texts[key], values, language.code)
}

/** Puts values into a text; `count` chooses among the forms of a number. */
export function fill(text: Text, values: Values, code: string): string {
  const form = typeof text === 'string' ? text : choose(text, Number(values['count'] ?? 0), code)
  return form.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? ''
    // Names may run the other way; they must not turn what stands around them.
    return typeof value === 'number' ? formatters(code).number.format(value) : FIRST_STRONG_ISOLATE + value + POP_ISOLATE
  })
}

/** Making them costs more than using them a hundred times, and every row of the list counts something. */
const made = new Map<string, { number: Intl.NumberFormat; plural: Intl.PluralRules }>()

function formatters(code: string): { number: Intl.NumberFormat; plural: Intl.PluralRules } {
  const found = made.get(code) ?? { number: new Intl.NumberFormat(code), plural: new Intl.PluralRules(code) }
  made.set(code, found)
  return found
}

function choose(forms: Exclude<Text, string>, count: number, code: string): string {
  return forms[formatters(code).plural.select(count)] ?? forms.other
}
