//! Writes: a [`Batch`] is atomic inside one partition and asserts what it rests on; a [`MergeRow`] carries a version.

use crate::key::{Key, Partition, RowKey};
use crate::table::{Family, Mode, Table};
use bytes::Bytes;
use tidings_proto::limit;

/// What a batch does to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put { value: Bytes, expires_ms: Option<u64> },
    Delete,
}

/// What a batch asserts of one row before anything is written. A row that has expired is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assert {
    Absent,
    Present,
    Equals(Bytes),
}

/// Asserts and changes in one partition of one family; all of them or none. A row is changed once at most. Nothing
/// happens until the batch is given to `Store::commit`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch {
    pub(crate) family: Family,
    pub(crate) partition: Partition,
    pub(crate) asserts: Vec<(Table, RowKey, Assert)>,
    pub(crate) changes: Vec<Changed>,
    /// Of all values.
    pub(crate) bytes: usize,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub table: Table,
    pub row: RowKey,
    pub change: Change,
    /// Number of the last assert about this row.
    pub assert: Option<usize>,
}

impl Batch {
    pub fn new(family: Family, partition: impl AsRef<[u8]>) -> Self {
        let partition = Bytes::copy_from_slice(partition.as_ref());
        assert!(partition.len() <= limit::ROW_KEY_MAX_BYTES, "a partition of {} bytes in {family:?}", partition.len());
        Self { family, partition, asserts: Vec::new(), changes: Vec::new(), bytes: 0 }
    }

    /// Asserts are numbered from 0 in the order of these calls; `CommitError::Conflict` names the first that failed.
    pub fn assert(mut self, table: Table, row: impl AsRef<[u8]>, assert: Assert) -> Self {
        assert_eq!(table.mode(), Mode::Commit, "{table:?} is written by merge");
        self.check_row(table, row.as_ref());
        self.asserts.push((table, Bytes::copy_from_slice(row.as_ref()), assert));
        assert!(self.asserts.len() <= limit::BATCH_MAX_ROWS, "a batch of more than {} asserts", limit::BATCH_MAX_ROWS);
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

    /// Of a merge-only table too, once nobody merges this row any more: for names that are never used again.
    pub fn delete(mut self, table: Table, row: impl AsRef<[u8]>) -> Self {
        self.change(table, row.as_ref(), Change::Delete);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Rows of merge-only tables that it deletes.
    pub(crate) fn deleted_merges(&self) -> impl Iterator<Item = Key> {
        let merged = self.changes.iter().filter(|changed| changed.table.mode() == Mode::Merge);
        merged.map(|changed| Key { table: changed.table, partition: self.partition.clone(), row: changed.row.clone() })
    }

    fn change(&mut self, table: Table, row: &[u8], change: Change) {
        self.check_row(table, row);
        if let Change::Put { value, .. } = &change {
            assert_eq!(table.mode(), Mode::Commit, "{table:?} is written by merge");
            assert!(value.len() <= limit::VALUE_MAX_BYTES, "a value of {} bytes in {table:?}", value.len());
            self.bytes += value.len();
            assert!(self.bytes <= limit::BATCH_MAX_BYTES, "a batch of {} bytes", self.bytes);
        }
        debug_assert!(!self.changes.iter().any(|other| other.table == table && other.row == row), "one change per row");
        let assert = self.asserts.iter().rposition(|(other, asserted, _)| *other == table && asserted == row);
        self.changes.push(Changed { table, row: Bytes::copy_from_slice(row), change, assert });
        assert!(self.changes.len() <= limit::BATCH_MAX_ROWS, "a batch of more than {} rows", limit::BATCH_MAX_ROWS);
    }

    fn check_row(&self, table: Table, row: &[u8]) {
        assert_eq!(table.family(), self.family, "a batch stays in its family");
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
        for key in [partition.as_ref(), row.as_ref()] {
            assert!(key.len() <= limit::ROW_KEY_MAX_BYTES, "a key of {} bytes in {table:?}", key.len());
        }
        Self {
            table,
            partition: Bytes::copy_from_slice(partition.as_ref()),
            row: Bytes::copy_from_slice(row.as_ref()),
            version,
            value: value.into(),
        }
    }
}
