//! One row of the file at a time, on the writer's connection.

use super::memtable::{Cell, Position};
use super::schema::{self, is_heaped, sql, tree_row};
use crate::table::{Mode, Table};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Statement, params};

/// The writer's statements, prepared at their first use and kept.
pub struct Rows<'c> {
    connection: &'c Connection,
    statements: Vec<[Option<Statement<'c>>; VERBS]>,
    put_value: Statement<'c>,
    delete_value: Statement<'c>,
    /// Place of the next value in the heap.
    next_place: i64,
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Place,
    Put,
    Insert,
    Delete,
    Expire,
}

const VERBS: usize = Verb::Expire as usize + 1;

/// Time as SQLite counts it. What expires later than it can say does not expire.
pub fn to_sql_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// SQLite has no `u64`; this keeps the order.
pub fn to_sql_version(version: u64) -> i64 {
    (version ^ 1 << 63) as i64
}

/// Rows that are committed have none, and count as 0.
pub fn from_sql_version(version: Option<i64>) -> u64 {
    version.map_or(0, |version| version as u64 ^ 1 << 63)
}

impl<'c> Rows<'c> {
    /// Places up to `last_place` are not used again, even if the heap does not have them any more.
    pub fn new(connection: &'c Connection, last_place: i64) -> rusqlite::Result<Self> {
        let last: Option<i64> = connection.query_row("SELECT max(id) FROM heap", [], |row| row.get(0))?;
        Ok(Self {
            connection,
            statements: Table::ALL.iter().map(|_| std::array::from_fn(|_| None)).collect(),
            put_value: connection.prepare("INSERT INTO heap(id, value) VALUES(?1, ?2)")?,
            delete_value: connection.prepare("DELETE FROM heap WHERE id = ?1")?,
            next_place: last.unwrap_or(0).max(last_place) + 1,
        })
    }

    /// The value, or `None` if the row is absent or has expired.
    pub fn get(&mut self, table: Table, partition: &[u8], row: &[u8], now_ms: u64) -> rusqlite::Result<Option<Bytes>> {
        let row = tree_row(table, row);
        self.verb(table, Verb::Get)?
            .query_row(params![partition, row.as_slice(), to_sql_ms(now_ms)], |found| found.get::<_, Vec<u8>>(0))
            .optional()
            .map(|value| value.map(Bytes::from))
    }

    /// Puts a row that is absent or has expired; returns whether it was. Not for heaped tables.
    pub fn insert(
        &mut self,
        table: Table,
        partition: &[u8],
        row: &[u8],
        (value, expires_ms): (&[u8], Option<u64>),
        now_ms: u64,
    ) -> rusqlite::Result<bool> {
        let row = tree_row(table, row);
        let (expires_ms, now_ms) = (expires_ms.map(to_sql_ms), to_sql_ms(now_ms));
        let changed =
            self.verb(table, Verb::Insert)?.execute(params![partition, row.as_slice(), expires_ms, value, now_ms])?;
        Ok(changed == 1)
    }

    /// Makes the file say what the cell says.
    pub fn write(&mut self, position: &Position, cell: &Cell) -> rusqlite::Result<()> {
        let (table, partition, row) = (position.table(), position.partition(), position.row());
        let Some(value) = &cell.value else { return self.delete(table, partition, row) };
        let row = tree_row(table, row);
        let expires_ms = cell.expires_ms.map(to_sql_ms);
        let Some(place) = cell.place else {
            let third = if table.mode() == Mode::Merge { Some(to_sql_version(cell.version)) } else { expires_ms };
            return self
                .verb(table, Verb::Put)?
                .execute(params![&partition[..], row.as_slice(), third, &value[..]])
                .map(drop);
        };
        if self.verb(table, Verb::Insert)?.execute(params![&partition[..], row.as_slice(), expires_ms, place])? == 1 {
            return Ok(());
        }
        let old: Option<i64> =
            self.verb(table, Verb::Place)?.query_row(params![&partition[..], row.as_slice()], |found| found.get(0))?;
        self.verb(table, Verb::Put)?.execute(params![&partition[..], row.as_slice(), expires_ms, place])?;
        // The same place: it was moved before, and a crash took only the memory of it.
        if old == Some(place) { Ok(()) } else { self.free(old) }
    }

    pub fn delete(&mut self, table: Table, partition: &[u8], row: &[u8]) -> rusqlite::Result<()> {
        let row = tree_row(table, row);
        let statement = self.verb(table, Verb::Delete)?;
        if !is_heaped(table) {
            return statement.execute(params![partition, row.as_slice()]).map(drop);
        }
        let place: Option<i64> =
            statement.query_row(params![partition, row.as_slice()], |found| found.get(0)).optional()?;
        self.free(place)
    }

    /// Deletes a row if it has expired, and returns whether it had.
    pub fn expire(&mut self, table: Table, partition: &[u8], row: &[u8], now_ms: u64) -> rusqlite::Result<bool> {
        let row = tree_row(table, row);
        let now_ms = to_sql_ms(now_ms);
        let statement = self.verb(table, Verb::Expire)?;
        if !is_heaped(table) {
            return Ok(statement.execute(params![partition, row.as_slice(), now_ms])? == 1);
        }
        let place: Option<i64> =
            statement.query_row(params![partition, row.as_slice(), now_ms], |found| found.get(0)).optional()?;
        self.free(place)?;
        Ok(place.is_some())
    }

    /// Puts a value into the heap, and returns its place.
    pub fn put_value(&mut self, value: &[u8]) -> rusqlite::Result<i64> {
        let place = self.next_place;
        self.next_place += 1;
        self.put_value.execute(params![place, value])?;
        Ok(place)
    }

    pub fn free(&mut self, place: Option<i64>) -> rusqlite::Result<()> {
        place.map_or(Ok(()), |place| self.delete_value.execute([place]).map(drop))
    }

    fn verb(&mut self, table: Table, verb: Verb) -> rusqlite::Result<&mut Statement<'c>> {
        let slot = &mut self.statements[schema::index(table)][verb as usize];
        match slot {
            Some(statement) => Ok(statement),
            None => {
                let sql = sql(table);
                let text = match verb {
                    Verb::Get => &sql.get,
                    Verb::Place => &sql.place,
                    Verb::Put => &sql.put,
                    Verb::Insert => &sql.insert,
                    Verb::Delete => &sql.delete,
                    Verb::Expire => &sql.expire,
                };
                Ok(slot.insert(self.connection.prepare(text)?))
            }
        }
    }
}
