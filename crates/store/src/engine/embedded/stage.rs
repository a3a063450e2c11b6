//! What the transaction under way changes: seen by its later batches, and by nobody else until it is durable.

use super::journal;
use super::memtable::{Cell, Cells, Memtable, Position, lay};
use super::rows::Rows;
use super::schema::{is_direct, is_heaped};
use crate::batch::Change;
use crate::key::{Partition, RowKey};
use crate::table::Table;
use bytes::Bytes;
use rusqlite::Connection;

pub struct Stage<'c> {
    pub rows: Rows<'c>,
    cells: Cells,
    /// `cells` and what they replaced, for the journal.
    journal: Vec<u8>,
    heaped_bytes: usize,
    /// Places of values that nothing points to.
    garbage: Vec<i64>,
}

impl<'c> Stage<'c> {
    pub fn new(connection: &'c Connection, last_place: i64, garbage: Vec<i64>) -> rusqlite::Result<Self> {
        let rows = Rows::new(connection, last_place)?;
        Ok(Self { rows, cells: Cells::new(), journal: Vec::new(), heaped_bytes: 0, garbage })
    }

    /// Forgets the last transaction.
    pub fn begin(&mut self) {
        self.cells.clear();
        self.journal.clear();
        self.heaped_bytes = 0;
    }

    /// Rows that are staged, and roughly their bytes.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn bytes(&self) -> usize {
        self.journal.len() + self.heaped_bytes
    }

    pub fn get(
        &mut self,
        memtable: &Memtable,
        (table, partition, row): (Table, &Partition, &RowKey),
        now_ms: u64,
    ) -> rusqlite::Result<Option<Bytes>> {
        if !is_direct(table) {
            let position = Position::new(table, partition, row);
            if let Some(cell) = self.cells.get(&position).cloned().or_else(|| memtable.get(&position)) {
                return Ok(cell.read(now_ms).cloned());
            }
        }
        self.rows.get(table, partition, row, now_ms)
    }

    pub fn change(
        &mut self,
        table: Table,
        partition: &Partition,
        row: &RowKey,
        change: &Change,
    ) -> rusqlite::Result<()> {
        let mut cell = Cell { value: None, expires_ms: None, place: None, version: 0 };
        if let Change::Put { value, expires_ms } = change {
            if is_heaped(table) {
                cell.place = Some(self.rows.put_value(value)?);
                self.heaped_bytes += value.len();
            }
            cell.value = Some(value.clone());
            cell.expires_ms = *expires_ms;
        }
        let position = Position::new(table, partition, row);
        if is_direct(table) {
            return self.rows.write(&position, &cell);
        }
        self.put(position, cell);
        Ok(())
    }

    pub fn put(&mut self, position: Position, cell: Cell) {
        journal::push(&mut self.journal, &position, &cell);
        self.garbage.extend(lay(&mut self.cells, position, cell).and_then(|replaced| replaced.place));
    }

    /// Deletes a row that has expired, and returns whether it had.
    pub fn expire(
        &mut self,
        memtable: &Memtable,
        (table, partition, row): (Table, &Partition, &RowKey),
        now_ms: u64,
    ) -> rusqlite::Result<bool> {
        let position = Position::new(table, partition, row);
        if self.cells.contains_key(&position) {
            return Ok(false);
        }
        let Some(recent) = memtable.get(&position) else {
            return self.rows.expire(table, partition, row, now_ms);
        };
        let has_expired = recent.value.is_some() && recent.read(now_ms).is_none();
        if has_expired {
            self.put(position, Cell { value: None, expires_ms: None, place: None, version: 0 });
        }
        Ok(has_expired)
    }

    /// The last step before the transaction is made durable.
    pub fn write(&mut self, connection: &Connection, journal_id: i64) -> rusqlite::Result<()> {
        for place in &self.garbage {
            self.rows.free(Some(*place))?;
        }
        if self.journal.is_empty() { Ok(()) } else { journal::write(connection, journal_id, &self.journal) }
    }

    /// The first step after.
    pub fn publish(&mut self, memtable: &Memtable) {
        self.garbage.clear();
        memtable.publish(std::mem::take(&mut self.cells), &mut self.garbage);
    }
}
