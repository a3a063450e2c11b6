//! SQLite.

use crate::batch::{Batch, MergeRow};
use crate::clock::Clock;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use crate::stats::Stats;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;

#[derive(Debug)]
pub struct Embedded;

impl Embedded {
    pub fn open(folder: &Path, _: Clock) -> Result<Arc<Self>, StoreError> {
        Err(StoreError::Unavailable(format!("{} has no engine yet", folder.display())))
    }
    pub fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get_many(std::slice::from_ref(key))?.remove(0))
    }
    pub fn get_many(&self, _: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        Ok(vec![])
    }
    pub fn scan(&self, _: &Scan) -> Result<Vec<Row>, StoreError> {
        Ok(vec![])
    }
    pub async fn commit(&self, _: Batch) -> Result<(), CommitError> {
        Ok(())
    }
    pub fn merge(&self, _: Vec<MergeRow>) -> Result<(), StoreError> {
        Ok(())
    }
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
