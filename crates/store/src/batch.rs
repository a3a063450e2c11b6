//! Writes: a [`Batch`] is atomic inside one partition and asserts what it rests on; a [`MergeRow`] carries a version.

use crate::key::{Partition, RowKey};
use crate::table::{Family, Mode, Table};
use bytes::Bytes;
use tidings_proto::limit;

/// What a batch does to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put { value: Bytes, expires_ms: Option<u64> },
    Delete,
}

impl Change {
    fn bytes(&self) -> usize {
        match self {
            Change::Put { value, .. } => value.len(),
            Change::Delete => 0,
        }
    }
}

/// What a batch asserts of one row before anything is written. A row that has expired is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assert {
    Absent,
    Present,
    Equals(Bytes),
}

/// Asserts and changes in one partition of one family; all of them or none. Nothing happens until it is given to
/// `Store::commit`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(crate) family: Family,
    pub(crate) partition: Partition,
    pub(crate) asserts: Vec<(Table, RowKey, Assert)>,
    pub(crate) changes: Vec<(Table, RowKey, Change)>,
}

impl Batch {
    pub fn new(family: Family, partition: impl AsRef<[u8]>) -> Self {
        Self { family, partition: Bytes::copy_from_slice(partition.as_ref()), asserts: Vec::new(), changes: Vec::new() }
    }

    /// Asserts are numbered from 0 in the order of these calls; `CommitError::Conflict` names the first that failed.
    pub fn assert(mut self, table: Table, row: impl AsRef<[u8]>, assert: Assert) -> Self {
        self.check_row(table, row.as_ref());
        self.asserts.push((table, Bytes::copy_from_slice(row.as_ref()), assert));
        self
    }

    pub fn put(mut self, table: Table, row: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Self {
        self.change(table, row.as_ref(), Change::Put { value: value.into(), expires_ms: None });
        self
    }

    /// The row is gone from `expires_ms` on, by the store's clock.
    pub fn put_until(mut self, table: Table, row: impl AsRef<[u8]>, value: impl Into<Bytes>, expires_ms: u64) -> Self {
        self.change(table, row.as_ref(), Change::Put { value: value.into(), expires_ms: Some(expires_ms) });
        self
    }

    pub fn delete(mut self, table: Table, row: impl AsRef<[u8]>) -> Self {
        self.change(table, row.as_ref(), Change::Delete);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What only the whole batch can show.
    pub(crate) fn check(&self) {
        let bytes: usize = self.changes.iter().map(|(.., change)| change.bytes()).sum();
        assert!(bytes <= limit::BATCH_MAX_BYTES, "a batch of {bytes} bytes");
    }

    fn change(&mut self, table: Table, row: &[u8], change: Change) {
        self.check_row(table, row);
        if let Change::Put { value, .. } = &change {
            assert!(value.len() <= limit::VALUE_MAX_BYTES, "a value of {} bytes in {table:?}", value.len());
        }
        self.changes.push((table, Bytes::copy_from_slice(row), change));
        assert!(self.changes.len() <= limit::BATCH_MAX_ROWS, "a batch of more than {} rows", limit::BATCH_MAX_ROWS);
    }

    fn check_row(&self, table: Table, row: &[u8]) {
        assert_eq!(table.family(), self.family, "a batch stays in its family");
        assert_eq!(table.mode(), Mode::Commit, "{table:?} is written by merge");
        assert!(row.len() <= limit::ROW_KEY_MAX_BYTES, "a row key of {} bytes in {table:?}", row.len());
    }
}

/// A row of a merge-only table. Of all that were ever merged under one key the highest version stands; of two with the
/// same version, either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRow {
    pub(crate) table: Table,
    pub(crate) partition: Partition,
    pub(crate) row: RowKey,
    pub(crate) version: u64,
    pub(crate) value: Bytes,
}

impl MergeRow {
    pub fn new(
        table: Table,
        partition: impl AsRef<[u8]>,
        row: impl AsRef<[u8]>,
        version: u64,
        value: impl Into<Bytes>,
    ) -> Self {
        assert_eq!(table.mode(), Mode::Merge, "{table:?} is written by commit");
        assert!(row.as_ref().len() <= limit::ROW_KEY_MAX_BYTES, "a row key is too long in {table:?}");
        Self {
            table,
            partition: Bytes::copy_from_slice(partition.as_ref()),
            row: Bytes::copy_from_slice(row.as_ref()),
            version,
            value: value.into(),
        }
    }
}
