// The browser's safe: one IndexedDB store, for the key of the database (worker/key.ts) and for what is sealed with the
// key that wraps it (snapshot.ts).

const DATABASE = 'tidings-key'
const STORE = 'key'

interface KeyRow {
  /** Made by WebCrypto, and never shown to anybody. */
  wrapping: CryptoKey
  iv: Uint8Array<ArrayBuffer>
  wrapped: ArrayBuffer
}

interface SnapshotRow {
  form: string
  iv: Uint8Array<ArrayBuffer>
  sealed: ArrayBuffer
}

interface Rows {
  database: KeyRow
  snapshot: SnapshotRow
}

/** What lies there under these names, all read at once. */
export function read<K extends keyof Rows>(...names: K[]): Promise<{ [P in K]: Rows[P] | undefined }> {
  return within('readonly', async (store) => {
    const rows = await Promise.all(names.map((name) => done<unknown>(store.get(name))))
    return Object.fromEntries(names.map((name, index) => [name, rows[index]])) as { [P in K]: Rows[P] | undefined }
  })
}

export function write<K extends keyof Rows>(name: K, row: Rows[K]): Promise<void> {
  return within('readwrite', async (store) => void (await done(store.put(row, name))))
}

export function remove(...names: (keyof Rows)[]): Promise<void> {
  return within('readwrite', async (store) => void (await Promise.all(names.map((name) => done(store.delete(name))))))
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const request = indexedDB.open(DATABASE, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(STORE)
  const db = await done(request)
  try {
    const transaction = db.transaction(STORE, mode, { durability: mode === 'readwrite' ? 'strict' : 'default' })
    const written = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB failed'))
    })
    const result = await work(transaction.objectStore(STORE))
    if (mode === 'readwrite') await written
    return result
  } finally {
    db.close()
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'))
  })
}
