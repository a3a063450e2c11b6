//! One row at a time, on the writer's connection.

use super::schema::{self, is_heaped, sql, tree_row};
use crate::batch::Change;
use crate::table::Table;
use rusqlite::{Connection, OptionalExtension, Statement, params};

/// The writer's statements, prepared at their first use and kept.
pub struct Rows<'c> {
    connection: &'c Connection,
    statements: Vec<[Option<Statement<'c>>; VERBS]>,
    put_value: Statement<'c>,
    replace_value: Statement<'c>,
    delete_value: Statement<'c>,
    /// Place of the next value in the heap.
    next_place: i64,
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Put,
    Insert,
    Replace,
    Touch,
    Delete,
    Expire,
    Merge,
}

const VERBS: usize = Verb::Merge as usize + 1;

/// Time as SQLite counts it. What expires later than it can say does not expire.
pub fn to_sql_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// SQLite has no `u64`; this keeps the order.
pub fn to_sql_version(version: u64) -> i64 {
    (version ^ 1 << 63) as i64
}

pub fn from_sql_version(version: i64) -> u64 {
    version as u64 ^ 1 << 63
}

impl<'c> Rows<'c> {
    pub fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let last: Option<i64> = connection.query_row("SELECT max(id) FROM heap", [], |row| row.get(0))?;
        Ok(Self {
            connection,
            statements: Table::ALL.iter().map(|_| std::array::from_fn(|_| None)).collect(),
            put_value: connection.prepare("INSERT INTO heap(id, value) VALUES(?1, ?2)")?,
            replace_value: connection.prepare("UPDATE heap SET value = ?2 WHERE id = ?1")?,
            delete_value: connection.prepare("DELETE FROM heap WHERE id = ?1")?,
            next_place: last.unwrap_or(0) + 1,
        })
    }

    /// The value, or `None` if the row is absent or has expired.
    pub fn get(
        &mut self,
        table: Table,
        partition: &[u8],
        row: &[u8],
        now_ms: i64,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        let row = tree_row(table, row);
        self.verb(table, Verb::Get)?
            .query_row(params![partition, row.as_slice(), now_ms], |found| found.get(0))
            .optional()
    }

    pub fn change(&mut self, table: Table, partition: &[u8], row: &[u8], change: &Change) -> rusqlite::Result<()> {
        match change {
            Change::Put { value, expires_ms } if is_heaped(table) => {
                self.put_heaped(table, partition, row, value, expires_ms.map(to_sql_ms))
            }
            Change::Put { value, expires_ms } => {
                let row = tree_row(table, row);
                let expires_ms = expires_ms.map(to_sql_ms);
                self.verb(table, Verb::Put)?
                    .execute(params![partition, row.as_slice(), expires_ms, &value[..]])
                    .map(drop)
            }
            Change::Delete => self.delete(table, partition, row),
        }
    }

    /// Puts a row that is absent or has expired; returns whether it was. Not for heaped tables.
    pub fn insert(
        &mut self,
        table: Table,
        partition: &[u8],
        row: &[u8],
        value: &[u8],
        expires_ms: Option<u64>,
        now_ms: i64,
    ) -> rusqlite::Result<bool> {
        let row = tree_row(table, row);
        let expires_ms = expires_ms.map(to_sql_ms);
        let changed =
            self.verb(table, Verb::Insert)?.execute(params![partition, row.as_slice(), expires_ms, value, now_ms])?;
        Ok(changed == 1)
    }

    /// Puts a row that has the value `expected`; returns whether it had. Not for heaped tables.
    pub fn replace(
        &mut self,
        table: Table,
        partition: &[u8],
        row: &[u8],
        (expected, value): (&[u8], &[u8]),
        expires_ms: Option<u64>,
        now_ms: i64,
    ) -> rusqlite::Result<bool> {
        let row = tree_row(table, row);
        let expires_ms = expires_ms.map(to_sql_ms);
        let changed = self.verb(table, Verb::Replace)?.execute(params![
            partition,
            row.as_slice(),
            expires_ms,
            value,
            expected,
            now_ms
        ])?;
        Ok(changed == 1)
    }

    pub fn delete(&mut self, table: Table, partition: &[u8], row: &[u8]) -> rusqlite::Result<()> {
        let row = tree_row(table, row);
        let statement = self.verb(table, Verb::Delete)?;
        if !is_heaped(table) {
            return statement.execute(params![partition, row.as_slice()]).map(drop);
        }
        let place: Option<i64> =
            statement.query_row(params![partition, row.as_slice()], |row| row.get(0)).optional()?;
        self.free(place)
    }

    /// Deletes a row if it has expired, and returns whether it had.
    pub fn expire(&mut self, table: Table, partition: &[u8], row: &[u8], now_ms: i64) -> rusqlite::Result<bool> {
        let row = tree_row(table, row);
        let statement = self.verb(table, Verb::Expire)?;
        if !is_heaped(table) {
            return Ok(statement.execute(params![partition, row.as_slice(), now_ms])? == 1);
        }
        let place: Option<i64> =
            statement.query_row(params![partition, row.as_slice(), now_ms], |row| row.get(0)).optional()?;
        self.free(place)?;
        Ok(place.is_some())
    }

    pub fn merge(
        &mut self,
        table: Table,
        partition: &[u8],
        row: &[u8],
        version: u64,
        value: &[u8],
    ) -> rusqlite::Result<()> {
        let row = tree_row(table, row);
        self.verb(table, Verb::Merge)?
            .execute(params![partition, row.as_slice(), to_sql_version(version), value])
            .map(drop)
    }

    fn put_heaped(
        &mut self,
        table: Table,
        partition: &[u8],
        row: &[u8],
        value: &[u8],
        expires_ms: Option<i64>,
    ) -> rusqlite::Result<()> {
        let row = tree_row(table, row);
        let place = self.next_place;
        let is_new = self.verb(table, Verb::Put)?.execute(params![partition, row.as_slice(), expires_ms, place])? == 1;
        if is_new {
            self.next_place += 1;
            return self.put_value.execute(params![place, value]).map(drop);
        }
        let place: i64 = self
            .verb(table, Verb::Touch)?
            .query_row(params![partition, row.as_slice(), expires_ms], |found| found.get(0))?;
        self.replace_value.execute(params![place, value]).map(drop)
    }

    fn free(&mut self, place: Option<i64>) -> rusqlite::Result<()> {
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
                    Verb::Put => &sql.put,
                    Verb::Insert => &sql.insert,
                    Verb::Replace => &sql.replace,
                    Verb::Touch => &sql.touch,
                    Verb::Delete => &sql.delete,
                    Verb::Expire => &sql.expire,
                    Verb::Merge => &sql.merge,
                };
                Ok(slot.insert(self.connection.prepare(text)?))
            }
        }
    }
}
