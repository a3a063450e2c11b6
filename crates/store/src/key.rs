//! Names of rows: table, partition, row. Rows of a partition are ordered by their bytes.

use crate::table::Table;
use bytes::Bytes;

/// The unit of atomicity and of placement. Bytes; what they are stands in the catalogue.
pub type Partition = Bytes;
/// Orders rows inside a partition.
pub type RowKey = Bytes;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub table: Table,
    pub partition: Partition,
    pub row: RowKey,
}

impl Key {
    pub fn new(table: Table, partition: impl AsRef<[u8]>, row: impl AsRef<[u8]>) -> Self {
        Self { table, partition: Bytes::copy_from_slice(partition.as_ref()), row: Bytes::copy_from_slice(row.as_ref()) }
    }
}

/// A row that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub row: RowKey,
    pub value: Bytes,
}

/// A range of rows of one table in one partition: `start <= row < end`, ascending unless `reverse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub table: Table,
    pub partition: Partition,
    pub start: RowKey,
    /// Exclusive; `None` is the end of the partition.
    pub end: Option<RowKey>,
    pub reverse: bool,
    /// At most this many rows,
    pub limit: u32,
    /// and no further row once their values come to this much. The first row always comes.
    pub max_bytes: usize,
}

impl Scan {
    /// All rows of the partition, up to `limit`.
    pub fn all(table: Table, partition: impl AsRef<[u8]>, limit: u32) -> Self {
        Self {
            table,
            partition: Bytes::copy_from_slice(partition.as_ref()),
            start: Bytes::new(),
            end: None,
            reverse: false,
            limit,
            max_bytes: usize::MAX,
        }
    }

    pub fn from(mut self, start: impl AsRef<[u8]>) -> Self {
        self.start = Bytes::copy_from_slice(start.as_ref());
        self
    }

    pub fn until(mut self, end: impl AsRef<[u8]>) -> Self {
        self.end = Some(Bytes::copy_from_slice(end.as_ref()));
        self
    }

    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}
