// The colour of somebody: it follows from who they are, the same for picture and name.

const COLOURS = 8

export function colourOf(id: string): number {
  return [...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) >>> 0, 7) % COLOURS
}
