// What the person chose on this device. It stays in the browser.

export type Theme = 'system' | 'light' | 'dark'

const THEME = 'tidings.theme'
const ENTER = 'tidings.enter'

export class Preferences {
  theme = $state<Theme>(read(THEME, ['system', 'light', 'dark'], 'system'))
  /** Whether Enter sends, or begins a new line. */
  enterSends = $state(read(ENTER, ['yes', 'no'], 'yes') === 'yes')

  setTheme(theme: Theme): void {
    this.theme = theme
    localStorage.setItem(THEME, theme)
    this.apply()
  }

  setEnterSends(on: boolean): void {
    this.enterSends = on
    localStorage.setItem(ENTER, on ? 'yes' : 'no')
  }

  apply(): void {
    if (this.theme === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = this.theme
  }
}

function read<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  const found = typeof localStorage === 'undefined' ? null : localStorage.getItem(key)
  return allowed.find((value) => value === found) ?? otherwise
}
