//! The database: one SQLite file (SQLCipher natively) that holds everything this device knows.
//!
//! * One input of the state machine is one [`Db::transaction`]: messages, outbox, cursors and MLS state are committed
//!   together or not at all. OpenMLS writes in several statements per call, so it must never run outside of one.
//! * One process has the file. The lock is taken at the opening and kept: two writers would fork the MLS state.
//! * A commit is on the disk when it returns (`synchronous=FULL`), and deleted rows are overwritten
//!   (`secure_delete`): forward secrecy is only worth something if used keys are gone.
//! * [`schema`] has the tables, as numbered migrations. `words`: what the full-text index holds of a message.
//!
//! A copy of the file is no backup: an MLS state that runs again from an older point repeats keys. Who restores logs in
//! again as a new device.

pub mod schema;
pub(crate) mod words;

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Statements kept prepared; the core has fewer than this.
const STATEMENTS_MAX: usize = 256;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Not our file, or not its key. Nothing was changed.
    #[error("the key does not open this database, or it is no database")]
    WrongKey,
    /// Update the program.
    #[error("the database was written by a newer version of this program (schema {found}, this one knows {known})")]
    NewerSchema { found: u32, known: u32 },
    /// Another process has it open; talk to that one, or end it.
    #[error("the database is in use by another process")]
    InUse,
    /// The disk is full, or the file is damaged, or there is a fault in a statement.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::WrongKey,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Sqlite(error),
        }
    }
}

/// The database, open and of the newest schema.
#[derive(Debug)]
pub struct Db {
    connection: Connection,
}

impl Db {
    /// Opens or makes an encrypted file.
    #[cfg(not(target_family = "wasm"))]
    pub fn open_file(path: &std::path::Path, key: &[u8; 32]) -> Result<Self, DbError> {
        use zeroize::Zeroizing;
        let connection = Connection::open(path)?;
        // A wrong key is an answer, not a fault for the log.
        connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
        let mut statement = Zeroizing::new(String::with_capacity(96));
        statement.push_str("PRAGMA key = \"x'");
        for byte in key {
            for digit in [byte >> 4, byte & 15] {
                statement.push(char::from_digit(u32::from(digit), 16).expect("four bits are one digit"));
            }
        }
        statement.push_str("'\"");
        connection.execute_batch(&statement)?;
        Self::from_connection(connection)
    }

    /// For tests and simulations.
    pub fn open_memory() -> Result<Self, DbError> {
        Self::from_connection(Connection::open_in_memory()?)
    }

    /// A connection of one's own: in the browser over OPFS, in a simulation one that outlives its client.
    pub fn from_connection(mut connection: Connection) -> Result<Self, DbError> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.execute_batch(
            "PRAGMA busy_timeout = 0;
             PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA temp_store = MEMORY;",
        )?;
        // The first statement that reads the file shows whether the key fits.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        // In memory and over OPFS there is no WAL; SQLite then keeps the journal mode that it has.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA foreign_keys = ON;",
        )?;
        words::register(&connection)?;
        schema::migrate(&mut connection)?;
        Ok(Self { connection })
    }

    /// Ends the use of it without closing it.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// For queries. Writes belong into [`Db::transaction`].
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes what was deleted out of the write-ahead log too. Where that fails it goes with the next checkpoint.
    pub fn scrub(&self) {
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log keeps what was deleted for a while");
        }
    }

    /// Commits what `work` did if it returns `Ok`, and undoes it all if it returns `Err` or panics.
    pub fn transaction<T, E: From<DbError>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(DbError::from)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(DbError::from)?;
        Ok(result)
    }
}

#[cfg(test)]
mod tests;
