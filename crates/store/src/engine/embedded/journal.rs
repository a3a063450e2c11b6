//! The journal: what each transaction changed in the trees, in one row, until the change is in the trees.
//!
//! A random page of a tree costs a transaction far more than the bytes of a row. So rows go into the journal, which
//! grows at its end, and into the [`super::memtable`]; later they are moved into the trees in order, many to a page, and
//! a row that was written again meanwhile is moved once. After a crash the memtable is read from here.

use super::memtable::{Cell, Cells, Position, lay};
use super::schema::is_heaped;
use super::{damaged, failed};
use crate::error::StoreError;
use crate::table::Table;
use bytes::{Buf, BufMut, Bytes};
use rusqlite::{Connection, OptionalExtension, params};

const HAS_EXPIRY: u8 = 1;
const HAS_PLACE: u8 = 2;
const HAS_VALUE: u8 = 4;
const HAS_VERSION: u8 = 8;

/// Table, flags, partition and row behind their lengths, then what the flags say; a value stands here only if the heap
/// does not have it.
pub fn push(rows: &mut Vec<u8>, position: &Position, cell: &Cell) {
    let inline = cell.value.as_ref().filter(|_| cell.place.is_none());
    let has = |flag: u8, has: bool| if has { flag } else { 0 };
    rows.put_u8(position.table() as u8);
    rows.put_u8(
        has(HAS_EXPIRY, cell.expires_ms.is_some())
            | has(HAS_PLACE, cell.place.is_some())
            | has(HAS_VALUE, inline.is_some())
            | has(HAS_VERSION, cell.version > 0),
    );
    for part in [position.partition(), position.row()] {
        rows.put_u8(u8::try_from(part.len()).expect("keys are at most ROW_KEY_MAX_BYTES long"));
        rows.put_slice(part);
    }
    if let Some(expires_ms) = cell.expires_ms {
        rows.put_u64(expires_ms);
    }
    if let Some(place) = cell.place {
        rows.put_i64(place);
    }
    if let Some(value) = inline {
        rows.put_u32(u32::try_from(value.len()).expect("values are at most VALUE_MAX_BYTES long"));
        rows.put_slice(value);
    }
    if cell.version > 0 {
        rows.put_u64(cell.version);
    }
}

/// The next row; a value that the heap has is left out. `None` at the end, and where the bytes are not of this form.
fn pop(rows: &mut Bytes) -> Option<(Position, Cell)> {
    let table = rows.try_get_u8().ok()?;
    let flags = rows.try_get_u8().ok()?;
    let partition = take(rows, |rows| rows.try_get_u8().ok().map(usize::from))?;
    let row = take(rows, |rows| rows.try_get_u8().ok().map(usize::from))?;
    let mut cell = Cell { value: None, expires_ms: None, place: None, version: 0 };
    if flags & HAS_EXPIRY > 0 {
        cell.expires_ms = Some(rows.try_get_u64().ok()?);
    }
    if flags & HAS_PLACE > 0 {
        cell.place = Some(rows.try_get_i64().ok()?);
    }
    if flags & HAS_VALUE > 0 {
        cell.value = Some(take(rows, |rows| rows.try_get_u32().ok().map(|len| len as usize))?);
    }
    if flags & HAS_VERSION > 0 {
        cell.version = rows.try_get_u64().ok()?;
    }
    Some((Position::new(Table::from_number(table)?, &partition, &row), cell))
}

fn take(rows: &mut Bytes, len: impl FnOnce(&mut Bytes) -> Option<usize>) -> Option<Bytes> {
    let len = len(rows)?;
    (len <= rows.len()).then(|| rows.split_to(len))
}

pub fn write(connection: &Connection, id: i64, rows: &[u8]) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO journal(id, rows) VALUES(?1, ?2)")?.execute(params![id, rows]).map(drop)
}

/// What the rows up to this one say is in the trees.
pub fn forget(connection: &Connection, until_id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM journal WHERE id <= ?1")?.execute([until_id]).map(drop)
}

/// What a former process left.
#[derive(Debug, Default)]
pub struct Left {
    pub cells: Cells,
    pub last_id: i64,
    /// The highest place in the heap that the journal speaks of.
    pub last_place: i64,
    /// Places of values that nothing points to.
    pub garbage: Vec<i64>,
}

pub fn read(connection: &Connection) -> Result<Left, StoreError> {
    let mut left = Left::default();
    let mut statement = connection.prepare("SELECT id, rows FROM journal ORDER BY id").map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    while let Some(row) = found.next().map_err(failed)? {
        left.last_id = row.get(0).map_err(failed)?;
        let mut rows: Bytes = row.get::<_, Vec<u8>>(1).map_err(failed)?.into();
        while !rows.is_empty() {
            let (position, cell) = pop(&mut rows).ok_or_else(|| damaged("a row of the journal cannot be read"))?;
            left.last_place = left.last_place.max(cell.place.unwrap_or(0));
            left.garbage.extend(lay(&mut left.cells, position, cell).and_then(|replaced| replaced.place));
        }
    }
    let mut value = connection.prepare("SELECT value FROM heap WHERE id = ?1").map_err(failed)?;
    for (position, cell) in &mut left.cells {
        if let Some(place) = cell.place {
            let found: Option<Vec<u8>> = value.query_row([place], |row| row.get(0)).optional().map_err(failed)?;
            cell.value = Some(found.ok_or_else(|| damaged("a value is missing in the heap"))?.into());
        }
        debug_assert!(cell.value.is_none() || is_heaped(position.table()) == cell.place.is_some());
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_of_the_journal_does_not_change() {
        let cells = [
            (Table::Entry, Cell { value: Some("far".into()), expires_ms: Some(1), place: Some(2), version: 0 }),
            (Table::Head, Cell { value: Some("near".into()), expires_ms: None, place: None, version: 0 }),
            (Table::Device, Cell { value: None, expires_ms: None, place: None, version: 0 }),
            (Table::Read, Cell { value: Some("".into()), expires_ms: None, place: None, version: 3 }),
        ];
        let mut bytes = Vec::new();
        let position = |table| Position::new(table, &"partition".into(), &"row".into());
        for (table, cell) in &cells {
            push(&mut bytes, &position(*table), cell);
        }
        insta::assert_snapshot!("journal", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let mut rest = Bytes::from(bytes);
        for (table, mut cell) in cells {
            cell.value = cell.value.filter(|_| cell.place.is_none());
            assert_eq!(pop(&mut rest), Some((position(table), cell)));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_journal_that_is_cut_short_is_not_read_as_another() {
        let mut bytes = Vec::new();
        let cell = Cell { value: Some("value".into()), expires_ms: Some(1), place: None, version: 1 };
        push(&mut bytes, &Position::new(Table::Device, &"partition".into(), &"row".into()), &cell);
        for len in 0..bytes.len() {
            assert_eq!(pop(&mut Bytes::copy_from_slice(&bytes[..len])), None);
        }
    }
}
