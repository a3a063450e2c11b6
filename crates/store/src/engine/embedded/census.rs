//! What lies in the file, counted without the server: a reader of its own, beside a running server or without one.

use super::rows::to_sql_ms;
use super::schema::prepare_reader;
use super::{DATABASE, failed};
use crate::census::{Census, Entries};
use crate::error::StoreError;
use crate::table::Table;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use tidings_proto::codec::StoredEntry;

/// Entries of all logs: those that expire, and those that are kept for ever.
const COUNT: &str = "SELECT count(*), coalesce(sum(length(heap.value)), 0), min(heap.id),
        count(*) FILTER (WHERE tree.expires_ms <= ?2), min(tree.expires_ms)
    FROM tree_log AS tree JOIN heap ON heap.id = tree.place
    WHERE substr(tree.row, 1, 1) = ?1 AND (tree.expires_ms IS NULL) = ?3";

pub fn census(folder: &Path, now_ms: u64) -> Result<Census, StoreError> {
    let file = folder.join(DATABASE);
    if !file.exists() {
        return Err(StoreError::Unavailable(format!("there is no {}", file.display())));
    }
    // A reader of a write-ahead log shares memory with the writer, for which it needs to write.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file, flags).map_err(failed)?;
    prepare_reader(&connection)?;
    read(&connection, &file, now_ms).map_err(failed)
}

fn read(connection: &Connection, file: &Path, now_ms: u64) -> rusqlite::Result<Census> {
    // One transaction: all figures are of one moment.
    let transaction = connection.unchecked_transaction()?;
    let count = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map(to_u64);
    let page_bytes = count("PRAGMA page_size")?;
    let wal = file.with_extension("db-wal");
    Ok(Census {
        messages: entries(&transaction, now_ms, false)?,
        handshakes: entries(&transaction, now_ms, true)?,
        file_bytes: file.metadata().map_or(0, |it| it.len()),
        wal_bytes: wal.metadata().map_or(0, |it| it.len()),
        free_bytes: count("PRAGMA freelist_count")? * page_bytes,
    })
}

fn entries(connection: &Connection, now_ms: u64, kept_for_ever: bool) -> rusqlite::Result<Entries> {
    let table = [Table::Entry as u8];
    let (rows, bytes, first, overdue, due_ms) =
        connection.query_row(COUNT, params![&table[..], to_sql_ms(now_ms), kept_for_ever], |row| {
            let count = |at: usize| row.get::<_, i64>(at).map(to_u64);
            Ok((count(0)?, count(1)?, row.get::<_, Option<i64>>(2)?, count(3)?, row.get::<_, Option<i64>>(4)?))
        })?;
    // Values lie in the order in which they were written.
    let oldest = first.map(|id| {
        let find = "SELECT value FROM heap WHERE id = ?1";
        connection.query_row(find, [id], |row| row.get::<_, Vec<u8>>(0)).optional()
    });
    let oldest = oldest.transpose()?.flatten().and_then(|value| StoredEntry::from_bytes(value.into()).decode().ok());
    Ok(Entries {
        rows,
        bytes,
        oldest_ms: oldest.map(|entry| entry.time_ms),
        overdue,
        overdue_since_ms: due_ms.map(to_u64).filter(|due_ms| *due_ms <= now_ms),
    })
}

fn to_u64(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
