//! SQLite, in one folder: the database with its write-ahead log, and a lock that keeps a second process out.
//!
//! Writes go through one [`writer`] thread; reads through a few [`reader`] connections; merged rows wait in an
//! [`overlay`] until the writer takes them along. [`schema`] says how rows lie in the file.
//!
//! **What a crash leaves.** A commit is answered after its transaction has been synced to the write-ahead log, so it is
//! there after the next start, whole; what was not answered is there whole or not at all. Merges of the last second may
//! be lost.
//!
//! **Deleted bytes.** Values are ciphertext. `secure_delete = FAST` overwrites what is deleted in pages that are written
//! anyway; pages that became free are handed to the next writer or given back to the file system. Overwriting those too
//! would double what a sweep writes, and neither a write-ahead log nor a solid-state disk would forget them for it.

mod apply;
pub(crate) mod census;
mod meter;
mod overlay;
mod priority;
mod queue;
mod reader;
mod rows;
mod schema;
mod sweep;
mod writer;

use crate::batch::{Batch, MergeRow};
use crate::clock::Clock;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use crate::stats::Stats;
use bytes::Bytes;
use queue::Job;
use reader::Readers;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::oneshot;
use writer::Shared;

const DATABASE: &str = "tidings.db";
const LOCK: &str = "lock";

#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    readers: Readers,
    file: PathBuf,
    /// Until the store is closed.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    writer: JoinHandle<()>,
    /// Freed when it is dropped, after the writer has ended.
    _lock: File,
}

impl Embedded {
    pub fn open(folder: &Path, clock: Clock) -> Result<Arc<Self>, StoreError> {
        let lock = lock(folder)?;
        let file = folder.join(DATABASE);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&file, flags).map_err(failed)?;
        schema::prepare_writer(&mut connection)?;
        let readers = Readers::open(&file)?;
        let shared = Arc::new(Shared {
            queue: queue::Queue::default(),
            overlay: overlay::Overlay::default(),
            meter: meter::Meter::default(),
            clock,
        });
        let (ready, is_ready) = mpsc::channel();
        let writer = std::thread::Builder::new().name("store-writer".into());
        let writer = writer
            .spawn({
                let shared = shared.clone();
                move || writer::run(connection, shared, ready)
            })
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        is_ready.recv().unwrap_or_else(|_| Err(closed()))?;
        Ok(Arc::new(Self { shared, readers, file, open: Mutex::new(Some(Open { writer, _lock: lock })) }))
    }

    pub fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let mut values = self.get_many(std::slice::from_ref(key))?;
        Ok(values.pop().expect("a value for each key"))
    }

    pub fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.readers.get_many(&self.shared.overlay, keys, self.shared.clock.now_ms())
    }

    pub fn scan(&self, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        self.readers.scan(&self.shared.overlay, scan, self.shared.clock.now_ms())
    }

    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        // A flush that has taken such a row already is a transaction before this batch's.
        self.shared.overlay.forget(batch.deleted_merges());
        let (answer, answered) = oneshot::channel();
        let pushed = self.shared.queue.push(Job { batch, since: Instant::now(), answer });
        if pushed == Err(StoreError::Overloaded) {
            self.shared.meter.overloads.fetch_add(1, Relaxed);
        }
        pushed?;
        answered.await.unwrap_or_else(|_| Err(closed().into()))
    }

    pub fn merge(&self, rows: Vec<MergeRow>) -> Result<(), StoreError> {
        let count = rows.len() as u64;
        if self.shared.queue.is_closed() {
            return Err(closed());
        }
        if self.shared.overlay.add(rows)? {
            self.shared.queue.flush_at(Instant::now() + writer::FLUSH_DELAY);
        }
        self.shared.meter.merges.fetch_add(count, Relaxed);
        Ok(())
    }

    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.shared.queue.push_sweep(answer)?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    pub async fn close(&self) -> Result<(), StoreError> {
        let open = self.open.lock().expect("nothing panics while it holds this").take().ok_or_else(closed)?;
        self.shared.queue.close();
        let ended = tokio::task::spawn_blocking(move || open.writer.join()).await;
        self.readers.close();
        match ended {
            Ok(Ok(())) => Ok(()),
            _ => Err(StoreError::Unavailable("the writer panicked".into())),
        }
    }

    pub fn stats(&self) -> Stats {
        let size = |suffix: &str| {
            let file = self.file.with_extension(format!("db{suffix}"));
            file.metadata().map_or(0, |metadata| metadata.len())
        };
        self.shared.meter.read(self.shared.queue.batches() as u64, size("") + size("-wal"))
    }
}

impl Drop for Embedded {
    /// A store that was not closed still writes what waits.
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(open) = self.open.get_mut().ok().and_then(Option::take) {
            // Its panic, if it had one, has been reported by the thread.
            let _ = open.writer.join();
        }
    }
}

/// Makes the folder, and takes it for this process.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let failed = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let lock = File::options().write(true).create(true).truncate(false).open(folder.join(LOCK)).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Unavailable(format!("{} is in use by another process", folder.display())))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("closed".into())
}

fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}
