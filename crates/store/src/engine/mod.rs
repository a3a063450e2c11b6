//! The engines, and the one place that chooses between them.

pub mod embedded;
pub mod memory;

use crate::batch::{Batch, MergeRow};
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use crate::stats::Stats;
use bytes::Bytes;
use embedded::Embedded;
use memory::Memory;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub enum Engine {
    Memory(Memory),
    Embedded(Arc<Embedded>),
}

impl Engine {
    pub fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        match self {
            Engine::Memory(engine) => engine.get(key),
            Engine::Embedded(engine) => engine.get(key),
        }
    }

    pub fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        match self {
            Engine::Memory(engine) => keys.iter().map(|key| engine.get(key)).collect(),
            Engine::Embedded(engine) => engine.get_many(keys),
        }
    }

    pub fn scan(&self, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        match self {
            Engine::Memory(engine) => engine.scan(scan),
            Engine::Embedded(engine) => engine.scan(scan),
        }
    }

    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        match self {
            Engine::Memory(engine) => engine.commit(batch).await,
            Engine::Embedded(engine) => engine.commit(batch).await,
        }
    }

    pub fn merge(&self, rows: Vec<MergeRow>) -> Result<(), StoreError> {
        match self {
            Engine::Memory(engine) => engine.merge(rows),
            Engine::Embedded(engine) => engine.merge(rows),
        }
    }

    pub async fn sweep(&self) -> Result<u64, StoreError> {
        match self {
            Engine::Memory(engine) => engine.sweep(),
            Engine::Embedded(engine) => engine.sweep().await,
        }
    }

    pub async fn close(&self) -> Result<(), StoreError> {
        match self {
            Engine::Memory(engine) => engine.close(),
            Engine::Embedded(engine) => engine.close().await,
        }
    }

    pub fn stats(&self) -> Stats {
        match self {
            Engine::Memory(engine) => engine.stats(),
            Engine::Embedded(engine) => engine.stats(),
        }
    }
}

/// What a scan may still take.
struct Budget {
    rows: u32,
    bytes: usize,
    is_first: bool,
}

impl Budget {
    fn of(scan: &Scan) -> Self {
        Self { rows: scan.limit, bytes: scan.max_bytes, is_first: true }
    }

    /// Whether one more row comes, with a value of this size. Asked once per row, until it says no.
    fn admits(&mut self, value_bytes: usize) -> bool {
        let admits = self.rows > 0 && (self.is_first || self.bytes > 0);
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(value_bytes);
        self.is_first = false;
        admits
    }
}
