//! Reads, each in the calling thread: they are short, and see everything that was committed.

use super::memtable::{Cell, Memtable, Position, Recent};
use super::rows::{from_sql_version, to_sql_ms};
use super::schema::{is_direct, prepare_reader, sql, tree_row};
use super::{closed, failed};
use crate::engine::Budget;
use crate::error::StoreError;
use crate::key::{Key, Row, Scan};
use crate::table::{Access, Mode};
use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Connections that read, at most; one per processor is enough, since no reader waits for anything while it has one.
const READERS_MAX: usize = 8;

/// A few connections, each of which serves one thread at a time. A closed one is `None`.
#[derive(Debug)]
pub struct Readers {
    connections: Vec<Mutex<Option<Connection>>>,
    next: AtomicUsize,
    is_closed: AtomicBool,
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
        Ok(Self { connections, next: AtomicUsize::new(0), is_closed: AtomicBool::new(false) })
    }

    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        for connection in &self.connections {
            connection.lock().expect("a reader does not panic").take();
        }
    }

    /// In the order of the keys.
    pub fn get_many(&self, memtable: &Memtable, keys: &[Key], now_ms: u64) -> Result<Vec<Option<Bytes>>, StoreError> {
        // Before the file, see `memtable`.
        let recent = |key: &Key| if is_direct(key.table) { None } else { memtable.get(&Position::of(key)) };
        let recent: Vec<Option<Cell>> = keys.iter().map(recent).collect();
        // Of merged rows the file may have a higher version.
        let is_enough = |(key, cell): (&Key, &Option<Cell>)| cell.is_some() && key.table.mode() == Mode::Commit;
        if keys.iter().zip(&recent).all(is_enough) && self.is_open() {
            return Ok(recent.into_iter().map(|cell| cell?.read(now_ms).cloned()).collect());
        }
        self.with(|connection| {
            // One transaction takes the locks of the file once.
            let transaction = (keys.len() > 1).then(|| connection.unchecked_transaction()).transpose()?;
            let read = |(key, recent): (&Key, Option<Cell>)| {
                let row = tree_row(key.table, &key.row);
                let mut statement = connection.prepare_cached(&sql(key.table).get)?;
                let stored = statement
                    .query_row(params![&key.partition[..], row.as_slice(), to_sql_ms(now_ms)], |row| {
                        Ok((Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?), from_sql_version(row.get(1)?)))
                    })
                    .optional()?;
                Ok(match (recent, stored) {
                    (Some(cell), Some((value, version))) if version > cell.version => Some(value),
                    (Some(cell), _) => cell.read(now_ms).cloned(),
                    (None, stored) => stored.map(|(value, _)| value),
                })
            };
            let values = keys.iter().zip(recent).map(read).collect();
            drop(transaction);
            values
        })
    }

    pub fn scan(&self, memtable: &Memtable, scan: &Scan, now_ms: u64) -> Result<Vec<Row>, StoreError> {
        assert!(scan.table.access() == Access::Scan, "{:?} has no order", scan.table);
        loop {
            let recent = memtable.scan(scan, now_ms);
            let freezes = recent.freezes;
            let rows = self.scan_over(recent, scan, now_ms)?;
            // Only rows that were frozen meanwhile can have reached the file without being among the recent ones; then
            // a part of a batch may be here.
            if memtable.freezes() == freezes {
                return Ok(rows);
            }
        }
    }

    /// The rows of the file under those that are recent.
    fn scan_over(&self, recent: Recent, scan: &Scan, now_ms: u64) -> Result<Vec<Row>, StoreError> {
        let mut budget = Budget::of(scan);
        let mut rows = Vec::new();
        let mut take = |row: &[u8], value: &[u8]| {
            let admits = budget.admits(value.len());
            if admits {
                rows.push(Row { row: Bytes::copy_from_slice(row), value: Bytes::copy_from_slice(value) });
            }
            admits
        };
        let mut recent = recent.rows.into_iter().peekable();
        let mut is_full = false;
        self.rows(scan, now_ms, |row, value, version| {
            let is_before = |other: &[u8]| if scan.reverse { other > row } else { other < row };
            while let Some((before, cell)) = recent.next_if(|(other, _)| is_before(other)) {
                is_full |= cell.read(now_ms).is_some_and(|value| !take(&before, value));
                if is_full {
                    return false;
                }
            }
            is_full = match recent.next_if(|(other, _)| other == row) {
                Some((_, cell)) if version <= cell.version => cell.read(now_ms).is_some_and(|value| !take(row, value)),
                _ => !take(row, value),
            };
            !is_full
        })?;
        for (row, cell) in recent {
            if is_full {
                break;
            }
            is_full = cell.read(now_ms).is_some_and(|value| !take(&row, value));
        }
        Ok(rows)
    }

    /// Gives row, value and version of the rows in the file, until `each` has enough.
    fn rows(
        &self,
        scan: &Scan,
        now_ms: u64,
        mut each: impl FnMut(&[u8], &[u8], u64) -> bool,
    ) -> Result<(), StoreError> {
        let start = tree_row(scan.table, &scan.start);
        let end = scan.end.as_ref().map(|end| tree_row(scan.table, end));
        // The next table begins where this one ends.
        let after = [scan.table as u8 + 1];
        let end = end.as_ref().map_or(&after[..], |end| end.as_slice());
        self.with(|connection| {
            let sql = sql(scan.table);
            let mut statement = connection.prepare_cached(if scan.reverse { &sql.scan_reverse } else { &sql.scan })?;
            let mut found = statement.query(params![&scan.partition[..], start.as_slice(), end, to_sql_ms(now_ms)])?;
            while let Some(row) = found.next()? {
                let version = from_sql_version(row.get(2)?);
                if !each(&row.get_ref(0)?.as_blob()?[1..], row.get_ref(1)?.as_blob()?, version) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Acquire)
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
