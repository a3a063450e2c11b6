//! The four verbs, and the choice of an engine.

use crate::batch::{Batch, MergeRow};
use crate::blob::Blobs;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::engine::embedded::Embedded;
use crate::engine::memory::MemoryDisk;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use crate::stats::Stats;
use bytes::Bytes;
use std::path::Path;

/// A merged row is on the disk after this time.
pub const MERGE_DELAY_MAX_MS: u64 = 1_000;

/// A handle to the durable state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    blobs: Blobs,
}

impl Store {
    /// Everything in memory, for tests. A simulation that crashes the store opens it from a [`MemoryDisk`].
    pub fn memory(clock: Clock) -> Self {
        MemoryDisk::new(clock).open()
    }

    /// SQLite files in `folder`, made if absent. One process at a time.
    pub fn embedded(folder: &Path, clock: Clock) -> Result<Self, StoreError> {
        let engine = Engine::Embedded(Embedded::open(folder, clock)?);
        Ok(Self::from_parts(engine, Blobs::folder(folder)?))
    }

    pub(crate) fn from_parts(engine: Engine, blobs: Blobs) -> Self {
        Self { engine, blobs }
    }

    /// What is too large for a row.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.engine.get(key)
    }

    /// In the order of the keys.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.engine.get_many(keys)
    }

    /// Not for tables that are only looked up, see [`crate::table::Access`].
    pub async fn scan(&self, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        self.engine.scan(scan)
    }

    /// Durable when it returns. On `Conflict` nothing was written.
    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        self.engine.commit(batch).await
    }

    /// Durable within [`MERGE_DELAY_MAX_MS`]; visible to readers of this process at once.
    pub async fn merge(&self, rows: Vec<MergeRow>) -> Result<(), StoreError> {
        self.engine.merge(rows)
    }

    /// Removes what has expired, which happens in the background too. Returns how many rows went.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        self.engine.sweep().await
    }

    /// Makes merges durable, waits for what is under way, closes the files. Every verb fails from then on.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.engine.close().await
    }

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }
}
