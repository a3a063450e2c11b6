import { expect, it } from 'vitest'
import { atHome, countryCode } from './home.ts'

it('knows where the code of a country ends', () => {
  expect(['+31612345678', '+12125550123', '+79161234567', '+35312345678', '+4915112345678', ''].map(countryCode)).toEqual(['+31', '+1', '+7', '+353', '+49', ''])
})

it('takes numbers without one for those of a country', () => {
  expect(atHome('06 1234 5678', '+31')).toBe('+31612345678')
  expect(atHome('(212) 555-0123', '+1')).toBe('+12125550123')
  expect(atHome('06 1234 5678', '+39')).toBe('+390612345678')
  expect(atHome('0044 20 7946 0018', '+31')).toBe('+442079460018')
  expect(atHome('+49 151 12345678', '+31')).toBe('+4915112345678')
  expect(atHome('ask Anna', '+31')).toBeUndefined()
  expect(atHome('12', '+31')).toBeUndefined()
})
