// The key of the database: 32 random bytes, wrapped by a key that the browser keeps and never shows (WebCrypto,
// not extractable). It protects what lies on the disk, not against scripts in this page; docs/security says more.
import { read, remove, write } from '../lib/storage/vault.ts'

const KEY_BYTES = 32
const IV_BYTES = 12

/** The key, and whether it was made just now: then nothing that exists can be read with it. */
export async function loadOrMake(): Promise<{ key: Uint8Array; fresh: boolean }> {
  const { database } = await read('database')
  if (database !== undefined) {
    const key = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: database.iv }, database.wrapping, database.wrapped)
    return { key: new Uint8Array(key), fresh: false }
  }
  const key = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const wrapping = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  const wrapped = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, wrapping, key)
  await write('database', { wrapping, iv, wrapped })
  return { key, fresh: true }
}

/** What was written with it is noise from now on. */
export function forget(): Promise<void> {
  return remove('database', 'snapshot')
}
