//! Removes what has expired and gives the space back, in steps that delay no commit for long.
//!
//! A transaction lists the rows that it wrote with an expiry, one list per minute in which they expire. A step takes the
//! oldest list that is due. A row of the list that was written again since is kept: it stands in another list.

use super::rows::{Rows, to_sql_ms};
use crate::batch::{Batch, Change};
use crate::table::Table;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Expiries are listed by this.
const GRAIN_MS: u64 = 60_000;
/// Rows of one list, at most.
const LIST_MAX_ROWS: usize = 1_000;
/// Free pages that are kept for what is written next, at the least, and as a part of the file.
const FREE_MIN_PAGES: i64 = 1_000;
const FREE_PART: i64 = 8;
/// Pages that one step gives back.
const VACUUM_PAGES: i64 = 500;

/// The rows that the transaction under way has written with an expiry.
#[derive(Default)]
pub struct Expiries {
    lists: BTreeMap<u64, List>,
}

#[derive(Default)]
struct List {
    keys: Vec<u8>,
    rows: usize,
}

impl Expiries {
    pub fn note(&mut self, batch: &Batch, next_id: &mut i64, connection: &Connection) -> rusqlite::Result<()> {
        for changed in &batch.changes {
            let Change::Put { expires_ms: Some(expires_ms), .. } = changed.change else { continue };
            let due_ms = (expires_ms / GRAIN_MS + 1).saturating_mul(GRAIN_MS);
            let list = self.lists.entry(due_ms).or_default();
            push_key(&mut list.keys, changed.table, &batch.partition, &changed.row);
            list.rows += 1;
            if list.rows == LIST_MAX_ROWS {
                let list = std::mem::take(list);
                write(due_ms, &list, next_id, connection)?;
            }
        }
        Ok(())
    }

    pub fn write(&mut self, next_id: &mut i64, connection: &Connection) -> rusqlite::Result<()> {
        for (due_ms, list) in std::mem::take(&mut self.lists) {
            if list.rows > 0 {
                write(due_ms, &list, next_id, connection)?;
            }
        }
        Ok(())
    }
}

fn write(due_ms: u64, list: &List, next_id: &mut i64, connection: &Connection) -> rusqlite::Result<()> {
    *next_id += 1;
    connection
        .prepare_cached("INSERT INTO expiry(due_ms, id, keys) VALUES(?1, ?2, ?3)")?
        .execute(params![to_sql_ms(due_ms), *next_id, list.keys])
        .map(drop)
}

pub fn last_id(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM expiry", [], |row| row.get(0))?;
    Ok(last.unwrap_or(0))
}

/// Removes the rows of one list, inside a transaction. `None`: no list is due.
pub fn step(rows: &mut Rows, connection: &Connection, now_ms: i64) -> rusqlite::Result<Option<u64>> {
    let next = connection
        .prepare_cached("SELECT due_ms, id, keys FROM expiry WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT 1")?
        .query_row([now_ms], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((due_ms, id, keys)) = next else { return Ok(None) };
    let (due_ms, id, keys): (i64, i64, Vec<u8>) = (due_ms, id, keys);
    let mut swept = 0;
    let mut rest = &keys[..];
    while let Some((table, partition, row)) = pop_key(&mut rest) {
        swept += u64::from(rows.expire(table, partition, row, now_ms)?);
    }
    connection.prepare_cached("DELETE FROM expiry WHERE due_ms = ?1 AND id = ?2")?.execute([due_ms, id])?;
    Ok(Some(swept))
}

/// Moves the write-ahead log into the file, which only then becomes as short as it can be.
pub fn shorten(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Gives free pages at the end of the file back, outside of a transaction. Returns whether more are left to give.
pub fn vacuum(connection: &Connection) -> rusqlite::Result<bool> {
    let count = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let kept = (count("PRAGMA page_count")? / FREE_PART).max(FREE_MIN_PAGES);
    if count("PRAGMA freelist_count")? <= kept + VACUUM_PAGES {
        return Ok(false);
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(true)
}

/// Table, then partition and row, each behind its length.
fn push_key(keys: &mut Vec<u8>, table: Table, partition: &[u8], row: &[u8]) {
    keys.push(table as u8);
    for part in [partition, row] {
        keys.push(u8::try_from(part.len()).expect("keys are at most ROW_KEY_MAX_BYTES long"));
        keys.extend_from_slice(part);
    }
}

/// `None` at the end, and at a key that this program did not write.
fn pop_key<'k>(keys: &mut &'k [u8]) -> Option<(Table, &'k [u8], &'k [u8])> {
    let table = pop(keys, 1)?[0];
    let mut part = || {
        let len = pop(keys, 1)?[0];
        pop(keys, len.into())
    };
    let (partition, row) = (part()?, part()?);
    let table = Table::ALL.into_iter().find(|other| *other as u8 == table)?;
    Some((table, partition, row))
}

fn pop<'k>(keys: &mut &'k [u8], len: usize) -> Option<&'k [u8]> {
    let (first, rest) = keys.split_at_checked(len)?;
    *keys = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_of_an_expiry_list_does_not_change() {
        let mut keys = Vec::new();
        push_key(&mut keys, Table::Entry, b"log", b"row");
        push_key(&mut keys, Table::Code, b"number", b"");
        insta::assert_snapshot!("expiry_list", keys.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let mut rest = &keys[..];
        assert_eq!(pop_key(&mut rest), Some((Table::Entry, &b"log"[..], &b"row"[..])));
        assert_eq!(pop_key(&mut rest), Some((Table::Code, &b"number"[..], &b""[..])));
        assert_eq!(pop_key(&mut rest), None);
    }
}
