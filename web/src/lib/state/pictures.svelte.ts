// Pictures of people and groups, as blobs that the page may show. Each is asked for once, by its name.
import { SvelteMap } from 'svelte/reactivity'
import type { Answer } from '../core/messages.ts'
import { take } from '../core/reply.ts'
import type { Command, Peer } from '../core/types.ts'

/** As the core takes them. */
const PICTURE_MAX_BYTES = 24 * 1024
const SIDE = 192
const QUALITIES = [0.85, 0.7, 0.5, 0.3]

const urls = new SvelteMap<string, string>()
const asked = new Set<string>()
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
}

/** Shows bytes as the core gives them. */
export function show(base64: string): string {
  const bytes = Uint8Array.from(atob(base64.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0))
  return URL.createObjectURL(new Blob([bytes]))
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
    const bytes = new Uint8Array(await blob.arrayBuffer())
    return btoa(String.fromCharCode(...bytes))
  }
  return undefined
}
