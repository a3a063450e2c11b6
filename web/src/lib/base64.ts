// Bytes as the core's JSON has them.

/** A function takes only so many arguments. */
const STRIDE = 0x8000

export function toBase64(bytes: Uint8Array): string {
  let letters = ''
  for (let at = 0; at < bytes.length; at += STRIDE) letters += String.fromCharCode(...bytes.subarray(at, at + STRIDE))
  return btoa(letters)
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
}
