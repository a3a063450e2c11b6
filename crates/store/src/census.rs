//! What is stored, for those who want to see that retention holds. Counted from the files themselves.

use crate::engine::embedded;
use crate::error::StoreError;
use crate::key::Key;
use crate::table::Table;
use rusqlite::Connection;
use std::path::Path;

/// Of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Entries that expire: messages, and welcomes in inboxes.
    pub messages: Entries,
    /// Entries that are kept for ever: commits and leaves.
    pub handshakes: Entries,
    pub file_bytes: u64,
    /// The write-ahead log beside the file: used again and again, never longer than some 80 MiB for long.
    pub wal_bytes: u64,
    /// Of the file: pages that the next writes take, or that are given back soon.
    pub free_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    pub rows: u64,
    /// Of their values.
    pub bytes: u64,
    /// When the oldest of them was appended.
    pub oldest_ms: Option<u64>,
    /// How many have expired and are not yet removed, and since when the first of these.
    pub overdue: u64,
    pub overdue_since_ms: Option<u64>,
}

/// Counts what the embedded store in `folder` holds. Reads all of its index, beside a running server too.
pub fn take(folder: &Path, now_ms: u64) -> Result<Census, StoreError> {
    embedded::census::census(folder, now_ms)
}

/// Row and value of each.
pub type RowValues = Vec<(Vec<u8>, Vec<u8>)>;

/// The rows of an embedded store, read beside a running server or without one.
#[derive(Debug)]
pub struct Files {
    connection: Connection,
    now_ms: u64,
}

impl Files {
    pub fn open(folder: &Path, now_ms: u64) -> Result<Self, StoreError> {
        Ok(Self { connection: embedded::census::open(folder)?, now_ms })
    }

    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        embedded::census::get(&self.connection, key, self.now_ms)
    }

    /// Row and value of all rows of a table in a partition, in order.
    pub fn rows(&self, table: Table, partition: &[u8]) -> Result<RowValues, StoreError> {
        embedded::census::rows(&self.connection, table, partition, self.now_ms)
    }

    /// How many rows of each table are kept under one of these ids: by the beginning of their partition, or for tables in
    /// `by_row` by that of their row. Reads the keys of everything.
    pub fn count_under(&self, ids: &[[u8; 16]], by_row: &[Table]) -> Result<Vec<(Table, u64)>, StoreError> {
        embedded::census::count_under(&self.connection, ids, by_row, self.now_ms)
    }

    /// The partitions of a table whose one row has this value.
    pub fn partitions_with(&self, table: Table, value: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        embedded::census::partitions_with(&self.connection, table, value)
    }

    /// Deletes one row of what a server does not keep in memory. Says whether it was there.
    pub fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        embedded::census::delete(&self.connection, key)
    }
}
