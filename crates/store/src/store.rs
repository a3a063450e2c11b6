//! The four verbs, and the choice of an engine.

use crate::batch::{Batch, MergeRow};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use bytes::Bytes;
use std::path::Path;

/// A handle to the durable state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
}

impl Store {
    /// Everything in memory, for tests and simulations.
    pub fn memory(clock: Clock) -> Self;
    /// SQLite files in `folder`, made if absent. One process at a time.
    pub fn embedded(folder: &Path, clock: Clock) -> Result<Self, StoreError>;

    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError>;
    /// In the order of the keys.
    pub async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError>;
    pub async fn scan(&self, scan: &Scan) -> Result<Vec<Row>, StoreError>;
    /// Durable when it returns. On `Conflict` nothing was written.
    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError>;
    /// Durable within [`MERGE_DELAY_MAX_MS`]; visible to readers of this process at once.
    pub async fn merge(&self, rows: Vec<MergeRow>) -> Result<(), StoreError>;
    /// Makes merges durable, waits for what is under way, closes the files.
    pub async fn close(&self) -> Result<(), StoreError>;
}
