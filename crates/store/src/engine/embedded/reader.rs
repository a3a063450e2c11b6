//! Reads, each in the calling thread: they are short, and see everything that was committed.

use super::overlay::{Merged, Overlay, raise};
use super::rows::{from_sql_version, to_sql_ms};
use super::schema::{prepare_reader, sql, tree_row};
use super::{closed, failed};
use crate::engine::Budget;
use crate::error::StoreError;
use crate::key::{Key, Row, Scan};
use crate::table::{Access, Mode};
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Connections that read, at most; one per processor is enough, since no reader waits for anything while it has one.
const READERS_MAX: usize = 8;

/// A few connections, each of which serves one thread at a time. A closed one is `None`.
#[derive(Debug)]
pub struct Readers {
    connections: Vec<Mutex<Option<Connection>>>,
    next: AtomicUsize,
}

impl Readers {
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
            prepare_reader(&connection)?;
            Ok(Mutex::new(Some(connection)))
        };
        let connections = (0..processors.clamp(2, READERS_MAX)).map(|_| open()).collect::<Result<_, StoreError>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    pub fn close(&self) {
        for connection in &self.connections {
            connection.lock().expect("a reader does not panic").take();
        }
    }

    /// In the order of the keys.
    pub fn get_many(&self, overlay: &Overlay, keys: &[Key], now_ms: u64) -> Result<Vec<Option<Bytes>>, StoreError> {
        // Before the file, see `overlay`.
        let merged: Vec<Option<Merged>> = keys.iter().map(|key| overlaid(overlay, key)).collect();
        self.with(|connection| {
            let now_ms = to_sql_ms(now_ms);
            let read = |(key, merged): (&Key, Option<Merged>)| {
                let row = tree_row(key.table, &key.row);
                let stored = connection
                    .prepare_cached(&sql(key.table).get)?
                    .query_row(params![&key.partition[..], row.as_slice(), now_ms], |row| {
                        let value = Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?);
                        Ok(Merged { version: from_sql_version(row.get(1)?), value })
                    })
                    .optional()?;
                let newest = [merged, stored].into_iter().flatten().max_by_key(|merged| merged.version);
                Ok(newest.map(|merged| merged.value))
            };
            // One transaction takes the locks of the file once.
            let transaction = (keys.len() > 1).then(|| connection.unchecked_transaction()).transpose()?;
            let values = keys.iter().zip(merged).map(read).collect();
            drop(transaction);
            values
        })
    }

    pub fn scan(&self, overlay: &Overlay, scan: &Scan, now_ms: u64) -> Result<Vec<Row>, StoreError> {
        assert!(scan.table.access() == Access::Scan, "{:?} has no order", scan.table);
        match scan.table.mode() {
            Mode::Commit => {
                let mut budget = Budget::of(scan);
                let mut rows = Vec::new();
                self.rows(scan, now_ms, |row, value, _| {
                    let admits = budget.admits(value.len());
                    if admits {
                        rows.push(Row { row: Bytes::copy_from_slice(row), value: Bytes::copy_from_slice(value) });
                    }
                    admits
                })?;
                Ok(rows)
            }
            Mode::Merge => self.scan_merged(overlay, scan, now_ms),
        }
    }

    fn scan_merged(&self, overlay: &Overlay, scan: &Scan, now_ms: u64) -> Result<Vec<Row>, StoreError> {
        let key = |row: &Bytes| Key { table: scan.table, partition: scan.partition.clone(), row: row.clone() };
        let mut found: BTreeMap<Bytes, Merged> = match &scan.end {
            Some(end) if *end <= scan.start => return Ok(Vec::new()),
            end => overlay.range(&key(&scan.start), end.as_ref().map(key).as_ref()),
        };
        self.rows(scan, now_ms, |row, value, version| {
            let merged = Merged { version: from_sql_version(version), value: Bytes::copy_from_slice(value) };
            raise(&mut found, Bytes::copy_from_slice(row), merged);
            true
        })?;
        let mut budget = Budget::of(scan);
        let rows = found.into_iter().map(|(row, merged)| Row { row, value: merged.value });
        let admits = |row: &Row| budget.admits(row.value.len());
        Ok(if scan.reverse { rows.rev().take_while(admits).collect() } else { rows.take_while(admits).collect() })
    }

    /// Gives row, value and version of the rows in the file, until `each` has enough.
    fn rows(
        &self,
        scan: &Scan,
        now_ms: u64,
        mut each: impl FnMut(&[u8], &[u8], i64) -> bool,
    ) -> Result<(), StoreError> {
        let start = tree_row(scan.table, &scan.start);
        let end = scan.end.as_ref().map(|end| tree_row(scan.table, end));
        // The next table begins where this one ends.
        let after = [scan.table as u8 + 1];
        let end = end.as_ref().map_or(&after[..], |end| end.as_slice());
        self.with(|connection| {
            let sql = sql(scan.table);
            let mut statement = connection.prepare_cached(if scan.reverse { &sql.scan_reverse } else { &sql.scan })?;
            let mut found =
                statement.query(params![&scan.partition[..], start.as_slice(), end, to_sql_ms(now_ms), scan.limit])?;
            while let Some(row) = found.next()? {
                if !each(&row.get_ref(0)?.as_blob()?[1..], row.get_ref(1)?.as_blob()?, row.get(2)?) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let connection = self.lock();
        read(connection.as_ref().ok_or_else(closed)?).map_err(failed)
    }

    /// A free connection, or the next one to become free.
    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for offset in 0..self.connections.len() {
            match self.connections[(first + offset) % self.connections.len()].try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(_)) => unreachable!("a reader does not panic"),
            }
        }
        self.connections[first % self.connections.len()].lock().expect("a reader does not panic")
    }
}

fn overlaid(overlay: &Overlay, key: &Key) -> Option<Merged> {
    if key.table.mode() == Mode::Merge { overlay.get(key) } else { None }
}
