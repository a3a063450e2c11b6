//! What lies in the file, counted without the server: a reader of its own, beside a running server or without one.

use super::rows::to_sql_ms;
use super::schema::{prepare_reader, sql, tree, tree_row};
use super::{DATABASE, failed};
use crate::census::{Census, Entries, RowValues};
use crate::error::StoreError;
use crate::key::Key;
use crate::table::{Mode, Table};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use tidings_proto::codec::StoredEntry;

/// Entries of all logs: those that expire, and those that are kept for ever.
const COUNT: &str = "SELECT count(*), coalesce(sum(length(heap.value)), 0), min(heap.id),
        count(*) FILTER (WHERE tree.expires_ms <= ?2), min(tree.expires_ms)
    FROM tree_log AS tree JOIN heap ON heap.id = tree.place
    WHERE substr(tree.row, 1, 1) = ?1 AND (tree.expires_ms IS NULL) = ?3";

/// Opens the files beside a running server, or without one.
pub fn open(folder: &Path) -> Result<Connection, StoreError> {
    let file = folder.join(DATABASE);
    if !file.exists() {
        return Err(StoreError::Unavailable(format!("there is no {}", file.display())));
    }
    // A reader of a write-ahead log shares memory with the writer, for which it needs to write.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file, flags).map_err(failed)?;
    prepare_reader(&connection)?;
    Ok(connection)
}

/// One row.
pub fn get(connection: &Connection, key: &Key, now_ms: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tree_row(key.table, &key.row);
    let get = connection.query_row(
        &sql(key.table).get,
        params![&key.partition[..], row.as_slice(), to_sql_ms(now_ms)],
        |row| row.get(0),
    );
    get.optional().map_err(failed)
}

/// All rows of a table in a partition, in order.
pub fn rows(connection: &Connection, table: Table, partition: &[u8], now_ms: u64) -> Result<RowValues, StoreError> {
    let (first, end) = ([table as u8], [table as u8 + 1]);
    let read = || -> rusqlite::Result<RowValues> {
        let mut statement = connection.prepare(&sql(table).scan)?;
        let rows = statement
            .query_map(params![partition, &first[..], &end[..], to_sql_ms(now_ms), i64::MAX], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?[1..].to_vec(), row.get(1)?))
            })?;
        rows.collect()
    };
    read().map_err(failed)
}

/// How many rows each table has that are kept under one of these ids: by their partition, or (`by_row`) by the beginning
/// of the row. Reads all keys.
pub fn count_under(
    connection: &Connection,
    ids: &[[u8; 16]],
    by_row: &[Table],
    now_ms: u64,
) -> Result<Vec<(Table, u64)>, StoreError> {
    let mut found = Vec::new();
    for table in Table::ALL {
        let mut rows = 0;
        for id in ids {
            let place = if by_row.contains(&table) { "substr(row, 2, 16)" } else { "substr(partition, 1, 16)" };
            let kept = match table.mode() {
                Mode::Commit => "(expires_ms IS NULL OR expires_ms > ?3)",
                Mode::Merge => "?3 IS NOT NULL",
            };
            let count = format!(
                "SELECT count(*) FROM {} WHERE substr(row, 1, 1) = ?1 AND {place} = ?2 AND {kept}",
                tree(table)
            );
            let count = connection
                .query_row(&count, params![&[table as u8][..], &id[..], to_sql_ms(now_ms)], |row| row.get::<_, i64>(0));
            rows += to_u64(count.map_err(failed)?);
        }
        if rows > 0 {
            found.push((table, rows));
        }
    }
    Ok(found)
}

/// The partitions of a table whose one row has this value.
pub fn partitions_with(connection: &Connection, table: Table, value: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let read = || -> rusqlite::Result<Vec<Vec<u8>>> {
        let find = format!("SELECT partition FROM {} WHERE substr(row, 1, 1) = ?1 AND value = ?2", tree(table));
        connection.prepare(&find)?.query_map(params![&[table as u8][..], value], |row| row.get(0))?.collect()
    };
    read().map_err(failed)
}

/// Deletes one row, in a transaction of its own between those of a running server. Only of a table whose values are no
/// part of what the server has in memory.
pub fn delete(connection: &Connection, key: &Key) -> Result<bool, StoreError> {
    let row = tree_row(key.table, &key.row);
    connection.pragma_update(None, "query_only", false).map_err(failed)?;
    let gone = connection.execute(&sql(key.table).delete, params![&key.partition[..], row.as_slice()]);
    Ok(gone.map_err(failed)? > 0)
}

pub fn census(folder: &Path, now_ms: u64) -> Result<Census, StoreError> {
    let connection = open(folder)?;
    let file = folder.join(DATABASE);
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
