// Backup files, written and read part by part; crates/client/src/backup/file.rs says what they are:
//
//   magic | length (u32) | lock | chunk | chunk | … | manifest | where the manifest begins (u64) | magic
import { fromBase64, toBase64 } from './base64.ts'
import type { Answer, Failure } from './core/messages.ts'
import { take } from './core/reply.ts'
import type { Command, FileHead } from './core/types.ts'

type Ask = (command: Command) => Promise<Answer>

const MAGIC = 'TIDBACK1'
const HEAD_BYTES = 12
const TAIL_BYTES = 16
/** A lock has a few hundred bytes. */
const LOCK_MAX_BYTES = 4 * 1024
/** As `BLOB_MAX_BYTES` of the protocol. */
const CHUNK_MAX_BYTES = 1024 * 1024 + 4 * 1024

interface Source {
  file: Blob
  head: FileHead
  chunksAt: number
  manifestAt: number
}

/** What came of it; `damaged`: parts that could not be used. */
type Merged = { well: true; damaged: number } | { well: false; failure: Failure | 'no_file' }

/** Writes all of it. The browser keeps the parts, on its disk when they are many. */
export async function write(ask: Ask, progress: (done: number, total: number) => void): Promise<{ file: Blob } | { failure: Failure }> {
  const parts: BlobPart[] = []
  for (let part = 0; ; part += 1) {
    const answer = await ask({ back_up_to_file: { part } })
    if (!answer.well) return { failure: answer.failure }
    const got = take(answer.reply, 'file_part')
    if (got === undefined) return { failure: 'not_understood' }
    parts.push(new Blob([fromBase64(got.bytes)]))
    progress(got.done, got.total)
    if (!got.more) return { file: new Blob(parts, { type: 'application/octet-stream' }) }
  }
}

/** Undefined if it is no backup, or only a part of one. */
export async function open(file: Blob): Promise<Source | undefined> {
  if (file.size < HEAD_BYTES + TAIL_BYTES) return undefined
  const end = file.size - TAIL_BYTES
  const [head, tail] = await Promise.all([bytesOf(file, 0, HEAD_BYTES), bytesOf(file, end, file.size)])
  const chunksAt = HEAD_BYTES + view(head).getUint32(8)
  const manifestAt = Number(view(tail).getBigUint64(0))
  const isOne =
    text(head.subarray(0, 8)) === MAGIC && text(tail.subarray(8)) === MAGIC &&
    chunksAt <= HEAD_BYTES + LOCK_MAX_BYTES && chunksAt <= manifestAt && manifestAt <= end && end - manifestAt <= CHUNK_MAX_BYTES
  if (!isOne) return undefined
  const [lock, manifest] = await Promise.all([bytesOf(file, HEAD_BYTES, chunksAt), bytesOf(file, manifestAt, end)])
  return { file, head: { lock: toBase64(lock), manifest: toBase64(manifest) }, chunksAt, manifestAt }
}

/** Brings back what the file has. A device without keys gets the account's identity first, and opens the file again. */
export async function merge(ask: Ask, file: Blob, secret: string): Promise<Merged> {
  const source = await open(file)
  if (source === undefined) return { well: false, failure: 'no_file' }
  let answer = await ask({ restore_from_file: { head: source.head, secret } })
  if (answer.well && take(answer.reply, 'logged_in') !== undefined) {
    answer = await ask({ restore_from_file: { head: source.head, secret } })
  }
  if (!answer.well) return answer
  const sizes = take(answer.reply, 'file_opened')?.sizes
  if (sizes === undefined) return { well: false, failure: 'not_understood' }
  let at = source.chunksAt
  let damaged = 0
  for (const [index, size] of sizes.entries()) {
    const end = at + size
    if (size > CHUNK_MAX_BYTES || end > source.manifestAt) return { well: false, failure: 'no_file' }
    const bytes = toBase64(await bytesOf(file, at, end))
    at = end
    const merged = await ask({ restore_part: { index, bytes } })
    if (merged.well) continue
    // Whether it is there is unknown: the file can be taken once more.
    if (merged.failure === 'lost') return merged
    damaged += 1
  }
  return { well: true, damaged }
}

/** Lets the browser save it under this name. */
export function save(file: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = name
  link.click()
  // The browser begins to read it in its own time.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

async function bytesOf(file: Blob, from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await file.slice(from, to).arrayBuffer())
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
