import { describe, expect, it } from 'vitest'
import { fromBase64, toBase64 } from './base64.ts'
import { merge, open, write } from './backupFile.ts'
import type { Answer } from './core/messages.ts'
import type { Command, Reply } from './core/types.ts'

const LOCK = Uint8Array.of(1, 2, 3)
const CHUNKS = [Uint8Array.of(10, 11), Uint8Array.of(20, 21, 22)]
const MANIFEST = Uint8Array.of(9, 9)
const magic = new TextEncoder().encode('TIDBACK1')

function parts(): Uint8Array<ArrayBuffer>[] {
  const head = new Uint8Array([...magic, 0, 0, 0, LOCK.length, ...LOCK])
  const at = new Uint8Array(8)
  new DataView(at.buffer).setBigUint64(0, BigInt(head.length + 5))
  return [head, ...CHUNKS, new Uint8Array([...MANIFEST, ...at, ...magic])]
}

/** A core that answers with these, one after the other, and what it was asked. */
function core(...replies: (Reply | { fail: 'lost' | 'no_such_message' })[]) {
  const asked: Command[] = []
  const ask = async (command: Command): Promise<Answer> => {
    asked.push(command)
    const reply = replies.shift()
    if (reply === undefined) throw new Error('asked too often')
    return typeof reply === 'object' && 'fail' in reply ? { well: false, failure: reply.fail } : { well: true, reply }
  }
  return { ask, asked }
}

describe('a backup file', () => {
  it('is written part by part, and opens as it was written', async () => {
    const all = parts()
    const progress: string[] = []
    const { ask } = core(
      ...all.map((bytes, part): Reply => ({ file_part: { bytes: toBase64(bytes), more: part < all.length - 1, done: part, total: 3 } })),
    )
    const written = await write(ask, (done, total) => progress.push(`${done}/${total}`))
    if (!('file' in written)) throw new Error('it failed')
    expect(progress).toEqual(['0/3', '1/3', '2/3', '3/3'])
    const source = await open(written.file)
    expect(source?.head).toEqual({ lock: toBase64(LOCK), manifest: toBase64(MANIFEST) })
  })

  it('is not taken when it is cut, or something else', async () => {
    const whole = new Blob(parts())
    expect(await open(whole.slice(0, whole.size - 1))).toBeUndefined()
    expect(await open(whole.slice(1))).toBeUndefined()
    expect(await open(new Blob(['hello']))).toBeUndefined()
    expect(await merge(core().ask, new Blob(['x'.repeat(200)]), 'secret')).toEqual({ well: false, failure: 'no_file' })
  })

  it('brings the identity back first, and then its parts; a damaged one is left out', async () => {
    const { ask, asked } = core(
      { logged_in: { account: 'a', device: 'd' } },
      { file_opened: { sizes: [2, 3] } },
      'done',
      { fail: 'no_such_message' },
    )
    expect(await merge(ask, new Blob(parts()), 'secret')).toEqual({ well: true, damaged: 1 })
    const sent = asked.slice(2).map((command) => (typeof command === 'object' && 'restore_part' in command ? [...fromBase64(command.restore_part.bytes)] : []))
    expect(sent).toEqual(CHUNKS.map((chunk) => [...chunk]))
  })

  it('does not go on when it is not known whether a part is there', async () => {
    const { ask } = core({ file_opened: { sizes: [2, 3] } }, { fail: 'lost' })
    expect(await merge(ask, new Blob(parts()), 'secret')).toEqual({ well: false, failure: 'lost' })
  })
})
