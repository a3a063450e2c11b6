// Which rows of a long list are on screen, when every row has a height of its own that is known once it was drawn.

export class Heights {
  readonly #known = new Map<string, number>()
  readonly #estimate: number

  constructor(estimate: number) {
    this.#estimate = estimate
  }

  /** Whether this is news. */
  set(key: string, height: number): boolean {
    if (Math.abs((this.#known.get(key) ?? -1) - height) < 0.5) return false
    this.#known.set(key, height)
    return true
  }

  of(key: string): number {
    return this.#known.get(key) ?? this.#estimate
  }

  forget(): void {
    this.#known.clear()
  }

  /** Where each row begins; the last number is the height of all. */
  offsets(keys: readonly string[]): Float64Array {
    const offsets = new Float64Array(keys.length + 1)
    let top = 0
    keys.forEach((key, index) => {
      offsets[index] = top
      top += this.of(key)
    })
    offsets[keys.length] = top
    return offsets
  }
}

/** The last row that begins at or above `y`. */
export function rowAt(offsets: Float64Array, y: number): number {
  let low = 0
  let high = Math.max(offsets.length - 2, 0)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((offsets[middle] ?? 0) <= y) low = middle
    else high = middle - 1
  }
  return low
}

/** First and one past the last row to draw. */
export function window(offsets: Float64Array, top: number, height: number, over: number): [number, number] {
  const rows = offsets.length - 1
  if (rows <= 0) return [0, 0]
  return [rowAt(offsets, top - over), Math.min(rowAt(offsets, top + height + over) + 1, rows)]
}
