// The key of the database: 32 random bytes, wrapped by a key that the browser keeps and never shows (WebCrypto,
// not extractable). It protects what lies on the disk, not against scripts in this page; docs/security says more.

const DATABASE = 'tidings-key'
const STORE = 'key'
const ROW = 'database'
const KEY_BYTES = 32
const IV_BYTES = 12

interface Row {
  wrapping: CryptoKey
  iv: Uint8Array<ArrayBuffer>
  wrapped: ArrayBuffer
}

/** The key, and whether it was made just now: then nothing that exists can be read with it. */
export async function loadOrMake(): Promise<{ key: Uint8Array; fresh: boolean }> {
  const db = await open()
  try {
    const row = await done<Row | undefined>(db.transaction(STORE).objectStore(STORE).get(ROW))
    if (row !== undefined) {
      const key = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: row.iv }, row.wrapping, row.wrapped)
      return { key: new Uint8Array(key), fresh: false }
    }
    const key = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
    const wrapping = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
    const wrapped = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, wrapping, key)
    const made: Row = { wrapping, iv, wrapped }
    await done(db.transaction(STORE, 'readwrite', { durability: 'strict' }).objectStore(STORE).put(made, ROW))
    return { key, fresh: true }
  } finally {
    db.close()
  }
}

/** What was written with it is noise from now on. */
export async function forget(): Promise<void> {
  const db = await open()
  try {
    await done(db.transaction(STORE, 'readwrite', { durability: 'strict' }).objectStore(STORE).delete(ROW))
  } finally {
    db.close()
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  return done(request)
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'))
  })
}
