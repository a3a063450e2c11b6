// Pictures of people and groups, as blobs that the page may show. Each is asked for once, by its name.
import { SvelteMap } from 'svelte/reactivity'
import { fromBase64, toBase64 } from '../base64.ts'
import type { Answer } from '../core/messages.ts'
import { take } from '../core/reply.ts'
import type { Command, Peer } from '../core/types.ts'

/** As the core takes them. */
const PICTURE_MAX_BYTES = 24 * 1024
const SIDE = 192
const QUALITIES = [0.85, 0.7, 0.5, 0.3]

/** What is known of a person's picture is asked anew after this, when it is drawn again. */
const FRESH_MS = 60_000

const urls = new SvelteMap<string, string>()
const asked = new Set<string>()
/** Of people of whom no name of a picture is known: when it was asked for, and what it was. */
const seen = new Map<string, { at: number; bytes: string | null }>()
let ask: ((command: Command) => Promise<Answer>) | undefined

export const pictures = {
  start(how: (command: Command) => Promise<Answer>): void {
    ask = how
  },

  url: (name: string): string | undefined => urls.get(name),

  async load(name: string, of: Peer): Promise<void> {
    if (ask === undefined || asked.has(name)) return
    asked.add(name)
    const answer = await ask({ picture: { of } })
    const bytes = answer.well ? take(answer.reply, 'picture')?.picture : undefined
    if (bytes != null) urls.set(name, show(bytes))
    else asked.delete(name)
  },

  /** Of somebody of whom only the account is known; it goes by that name. */
  async look(account: string, now = Date.now()): Promise<void> {
    const before = seen.get(account)
    if (ask === undefined || (before !== undefined && now - before.at < FRESH_MS)) return
    seen.set(account, { at: now, bytes: before?.bytes ?? null })
    const answer = await ask({ picture: { of: { account } } })
    const bytes = answer.well ? (take(answer.reply, 'picture')?.picture ?? null) : null
    if (bytes === (before?.bytes ?? null)) return
    seen.set(account, { at: now, bytes })
    URL.revokeObjectURL(urls.get(account) ?? '')
    if (bytes === null) urls.delete(account)
    else urls.set(account, show(bytes))
  },
}

/** Shows bytes as the core gives them. */
export function show(base64: string): string {
  return URL.createObjectURL(new Blob([fromBase64(base64)]))
}

/** The middle of a picture, small; undefined if it is none. What a camera wrote beside it is gone. */
export async function shrink(file: Blob): Promise<string | undefined> {
  const image = await createImageBitmap(file).catch(() => undefined)
  if (image === undefined) return undefined
  const canvas = new OffscreenCanvas(SIDE, SIDE)
  const side = Math.min(image.width, image.height)
  canvas.getContext('2d')?.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, SIDE, SIDE)
  for (const quality of QUALITIES) {
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality })
    if (blob.size > PICTURE_MAX_BYTES) continue
    return toBase64(new Uint8Array(await blob.arrayBuffer()))
  }
  return undefined
}
