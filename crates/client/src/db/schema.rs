//! The tables, as numbered migrations: `PRAGMA user_version` says how many of them a database has seen.
//!
//! A migration that was released never changes; what is new goes into the next one. Ids are blobs of 16 bytes, times
//! are milliseconds since 1970 unless the name says otherwise, and a `seq` of [`UNSENT`] means "not in the log yet".

use super::DbError;
use rusqlite::{Connection, TransactionBehavior};

/// In place of a seq: sorts after everything that is in the log.
pub const UNSENT: i64 = i64::MAX;

const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// Brings the database to the newest schema.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), DbError> {
    let known = MIGRATIONS.len() as u32;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(DbError::NewerSchema { found, known });
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", index as u32 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
