//! Merged rows on their way to the disk. Readers look here first and in the file after, so that a row which moves
//! between the two is never missed.

use crate::batch::MergeRow;
use crate::error::StoreError;
use crate::key::Key;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

/// Merged rows that wait for the disk, at most.
const WAITING_MAX_ROWS: usize = 100_000;
/// Rows that one transaction takes along.
const FLUSH_MAX_ROWS: usize = 2_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub version: u64,
    pub value: Bytes,
}

#[derive(Debug, Default)]
pub struct Overlay(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    waiting: BTreeMap<Key, Merged>,
    /// Those of the transaction under way.
    flushing: BTreeMap<Key, Merged>,
}

impl Overlay {
    /// Returns whether nothing waited before.
    pub fn add(&self, rows: Vec<MergeRow>) -> Result<bool, StoreError> {
        let mut all = self.lock();
        if all.waiting.len() + rows.len() > WAITING_MAX_ROWS {
            return Err(StoreError::Overloaded);
        }
        let was_empty = all.waiting.is_empty();
        for MergeRow { table, partition, row, version, value } in rows {
            raise(&mut all.waiting, Key { table, partition, row }, Merged { version, value });
        }
        Ok(was_empty)
    }

    pub fn get(&self, key: &Key) -> Option<Merged> {
        let all = self.lock();
        newer(all.waiting.get(key), all.flushing.get(key)).cloned()
    }

    /// Rows that are about to be deleted do not reach the disk after that.
    pub fn forget(&self, keys: impl Iterator<Item = Key>) {
        let mut all = self.lock();
        for key in keys {
            all.waiting.remove(&key);
            all.flushing.remove(&key);
        }
    }

    /// Rows from `start` on that come before `end`, of the same table and partition.
    pub fn range(&self, start: &Key, end: Option<&Key>) -> BTreeMap<Bytes, Merged> {
        let all = self.lock();
        let mut found = BTreeMap::new();
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        for rows in [&all.waiting, &all.flushing] {
            let range = rows.range::<Key, _>((Bound::Included(start), end));
            for (key, merged) in
                range.take_while(|(key, _)| key.table == start.table && key.partition == start.partition)
            {
                raise(&mut found, key.row.clone(), merged.clone());
            }
        }
        found
    }

    /// The rows that the next transaction writes.
    pub fn begin_flush(&self) -> Vec<(Key, Merged)> {
        let mut all = self.lock();
        assert!(all.flushing.is_empty(), "one transaction at a time");
        all.flushing = match all.waiting.keys().nth(FLUSH_MAX_ROWS).cloned() {
            Some(key) => {
                let rest = all.waiting.split_off(&key);
                std::mem::replace(&mut all.waiting, rest)
            }
            None => std::mem::take(&mut all.waiting),
        };
        all.flushing.iter().map(|(key, merged)| (key.clone(), merged.clone())).collect()
    }

    /// Whether they are on the disk; if not they wait again. Returns whether any wait now.
    pub fn end_flush(&self, is_durable: bool) -> bool {
        let mut all = self.lock();
        let flushed = std::mem::take(&mut all.flushing);
        if !is_durable {
            for (key, merged) in flushed {
                raise(&mut all.waiting, key, merged);
            }
        }
        !all.waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().expect("nothing panics while it holds the overlay")
    }
}

/// The highest version wins.
pub fn raise<K: Ord>(rows: &mut BTreeMap<K, Merged>, key: K, merged: Merged) {
    match rows.get(&key) {
        Some(present) if present.version >= merged.version => {}
        _ => {
            rows.insert(key, merged);
        }
    }
}

fn newer<'a>(a: Option<&'a Merged>, b: Option<&'a Merged>) -> Option<&'a Merged> {
    [a, b].into_iter().flatten().max_by_key(|merged| merged.version)
}
