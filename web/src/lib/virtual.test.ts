import { describe, expect, it } from 'vitest'
import { Heights, rowAt, window } from './virtual.ts'

const keys = Array.from({ length: 100_000 }, (_, index) => String(index))

describe('a long list', () => {
  it('draws only what is on screen and a little around it', () => {
    const heights = new Heights(50)
    const offsets = heights.offsets(keys)
    expect(offsets[keys.length]).toBe(5_000_000)
    expect(window(offsets, 1_000_000, 500, 100)).toEqual([19_998, 20_013])
  })

  it('knows better once a row was drawn', () => {
    const heights = new Heights(50)
    expect(heights.set('0', 80)).toBe(true)
    expect(heights.set('0', 80.2)).toBe(false)
    expect(heights.offsets(keys)[1]).toBe(80)
  })

  it('has nothing to draw when it is empty', () => {
    expect(window(new Heights(50).offsets([]), 0, 500, 100)).toEqual([0, 0])
  })

  it('finds the row at any height', () => {
    const offsets = Float64Array.from([0, 10, 30, 60])
    expect([0, 9, 10, 59, 1000, -5].map((y) => rowAt(offsets, y))).toEqual([0, 0, 1, 2, 2, 0])
  })
})
