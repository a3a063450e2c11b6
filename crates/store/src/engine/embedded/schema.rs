//! How the catalogue lies in SQLite.
//!
//! **Trees.** Each family is one clustered table (`WITHOUT ROWID`) ordered by partition and row, and a table of the
//! catalogue is the first byte of the row, as in Cassandra. So the head of a log stands beside its newest entry, and an
//! append touches one page of the tree. `Sent` has a tree of its own that is ordered by row first: message ids begin with
//! time, so it grows at its end.
//!
//! **Heap.** Values of entries and other large things lie in the order in which they were written, and the tree points
//! to them: a tree of small rows stays dense, and values are never moved when it splits.
//!
//! **Expiry queue.** What a transaction wrote with an expiry is listed in one row per minute in which it expires. An
//! index over `expires_ms` would cost each append two more trees.

use crate::error::StoreError;
use crate::table::{Family, Mode, Table};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::sync::LazyLock;

/// Stands in `PRAGMA user_version`. Raise it with the first change of the layout, and migrate here.
const SCHEMA_VERSION: i64 = 1;
/// Pages after which a commit moves the write-ahead log into the database: 80 MiB.
const CHECKPOINT_PAGES: u32 = 20_000;
/// Page cache of the writer. A commit in which a page was split walks over all of it, so more is not better.
const WRITER_CACHE_KIB: u32 = 64 * 1024;
/// Page cache of each reader.
const READER_CACHE_KIB: u32 = 8 * 1024;
/// A reader waits this long for a checkpoint that just ends.
const BUSY_TIMEOUT_MS: u32 = 5_000;

/// The statements of one table of the catalogue. Parameters 1 and 2 are always partition and row.
#[derive(Debug)]
pub struct Sql {
    /// 3: now. Gives the value, and the version in a merge-only table.
    pub get: String,
    /// 2: start, 3: end (exclusive), 4: now, 5: limit. Gives row, value, version.
    pub scan: String,
    pub scan_reverse: String,
    /// 3: expiry, 4: value or place in the heap.
    pub put: String,
    /// As `put`, and 5: now. Changes nothing if the row is there.
    pub insert: String,
    /// As `put`, 5: expected value, 6: now. Changes nothing if the row has another value.
    pub replace: String,
    /// 3: expiry. Gives the place in the heap of a row that is there.
    pub touch: String,
    /// Gives the place in the heap.
    pub delete: String,
    /// 3: now. As `delete`, if it has expired.
    pub expire: String,
    /// 3: version, 4: value.
    pub merge: String,
}

/// Whether the values of a table lie in the heap.
pub const fn is_heaped(table: Table) -> bool {
    matches!(
        table,
        Table::Entry | Table::Link | Table::KeyPackage | Table::GroupInfo | Table::GroupTree | Table::Roster
    )
}

/// Whether a table has a tree of its own, ordered by row first. It must not be scanned.
const fn is_ordered_by_row(table: Table) -> bool {
    matches!(table, Table::Sent)
}

/// The bytes of a row in its tree.
pub fn tree_row(table: Table, row: &[u8]) -> TreeRow {
    let mut bytes = [0; TREE_ROW_MAX_BYTES];
    bytes[0] = table as u8;
    bytes[1..=row.len()].copy_from_slice(row);
    TreeRow { bytes, len: 1 + row.len() }
}

const TREE_ROW_MAX_BYTES: usize = 1 + tidings_proto::limit::ROW_KEY_MAX_BYTES;

/// A short byte string without an allocation.
pub struct TreeRow {
    bytes: [u8; TREE_ROW_MAX_BYTES],
    len: usize,
}

impl TreeRow {
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The statements of a table.
pub fn sql(table: Table) -> &'static Sql {
    static ALL: LazyLock<Vec<Sql>> = LazyLock::new(|| Table::ALL.into_iter().map(build).collect());
    &ALL[index(table)]
}

/// Place of a table in the catalogue.
pub fn index(table: Table) -> usize {
    Table::ALL.iter().position(|other| *other == table).expect("the catalogue is complete")
}

pub fn tree(table: Table) -> &'static str {
    match table.family() {
        Family::Log if is_ordered_by_row(table) => "tree_sent",
        Family::Log => "tree_log",
        Family::Bucket => "tree_bucket",
        Family::Account => "tree_account",
        Family::DeviceOwner => "tree_device_owner",
        Family::Phone => "tree_phone",
        Family::Deletion => "tree_deletion",
        Family::Link => "tree_link",
        Family::Keys => "tree_keys",
        Family::Conversation => "tree_conversation",
        Family::Cursor => "tree_cursor",
        Family::Watermark => "tree_watermark",
        Family::LastSeen => "tree_last_seen",
        Family::LookupUse => "tree_lookup_use",
        Family::Blob => "tree_blob",
        Family::BlobDue => "tree_blob_due",
        Family::Report => "tree_report",
        Family::Server => "tree_server",
    }
}

fn build(table: Table) -> Sql {
    let tree = tree(table);
    let is_heaped = is_heaped(table);
    let (value, place) = if is_heaped {
        ("(SELECT heap.value FROM heap WHERE heap.id = tree.place)", "place")
    } else {
        ("tree.value", "value")
    };
    let version = if table.mode() == Mode::Merge { "tree.version" } else { "0" };
    let kept = |now: &str| match table.mode() {
        Mode::Commit => format!("(tree.expires_ms IS NULL OR tree.expires_ms > {now})"),
        // Merged rows do not expire; the parameter stays where it is.
        Mode::Merge => format!("{now} IS NOT NULL"),
    };
    let scan = |order: &str| {
        format!(
            "SELECT tree.row, {value}, {version} FROM {tree} AS tree WHERE tree.partition = ?1 AND tree.row >= ?2 \
             AND tree.row < ?3 AND {} ORDER BY tree.row {order} LIMIT ?5",
            kept("?4")
        )
    };
    let insert = format!("INSERT INTO {tree}(partition, row, expires_ms, {place}) VALUES(?1, ?2, ?3, ?4)");
    let update = format!("ON CONFLICT DO UPDATE SET expires_ms = excluded.expires_ms, {place} = excluded.{place}");
    let row = "WHERE partition = ?1 AND row = ?2";
    let returning = if is_heaped { "RETURNING place" } else { "" };
    Sql {
        get: format!(
            "SELECT {value}, {version} FROM {tree} AS tree WHERE tree.partition = ?1 AND tree.row = ?2 AND {}",
            kept("?3")
        ),
        scan: scan("ASC"),
        scan_reverse: scan("DESC"),
        put: if is_heaped { format!("{insert} ON CONFLICT DO NOTHING") } else { format!("{insert} {update}") },
        insert: format!("{insert} {update} WHERE expires_ms <= ?5"),
        replace: format!(
            "UPDATE {tree} SET expires_ms = ?3, {place} = ?4 {row} AND {place} = ?5 \
             AND (expires_ms IS NULL OR expires_ms > ?6)"
        ),
        touch: format!("UPDATE {tree} SET expires_ms = ?3 {row} RETURNING {place}"),
        delete: format!("DELETE FROM {tree} {row} {returning}"),
        expire: format!("DELETE FROM {tree} {row} AND expires_ms <= ?3 {returning}"),
        merge: format!(
            "INSERT INTO {tree}(partition, row, version, value) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
             SET version = excluded.version, value = excluded.value WHERE excluded.version > version"
        ),
    }
}

/// Makes a connection the writer's, and the file what this program expects.
pub fn prepare_writer(connection: &mut Connection) -> Result<(), StoreError> {
    // Before anything is written, since the first page keeps it.
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").map_err(super::failed)?;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = FAST;
             PRAGMA cache_size = -{WRITER_CACHE_KIB};
             PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
             PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};"
        ))
        .map_err(super::failed)?;
    harden(connection)?;
    migrate(connection)
}

pub fn prepare_reader(connection: &Connection) -> Result<(), StoreError> {
    let pragmas = format!(
        "PRAGMA query_only = ON; PRAGMA cache_size = -{READER_CACHE_KIB}; PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};"
    );
    connection.execute_batch(&pragmas).map_err(super::failed)?;
    connection.set_prepared_statement_cache_capacity(3 * Table::ALL.len());
    // Otherwise each new value of a LIMIT compiles the statement anew: two fifths of what catching up cost.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(super::failed)?;
    harden(connection)
}

/// A damaged file must not make SQLite do more than read rows.
fn harden(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(super::failed)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(super::failed)?;
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(super::failed)?;
    if found > SCHEMA_VERSION {
        let text = format!("the files are of version {found}, this program knows versions up to {SCHEMA_VERSION}");
        return Err(StoreError::Unavailable(text));
    }
    let mut ddl = String::from(
        "CREATE TABLE IF NOT EXISTS heap(id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS expiry(due_ms INTEGER NOT NULL, id INTEGER NOT NULL, keys BLOB NOT NULL,
             PRIMARY KEY(due_ms, id)) WITHOUT ROWID, STRICT;",
    );
    for table in Table::ALL {
        let key = if is_ordered_by_row(table) { "row, partition" } else { "partition, row" };
        let columns = match table.mode() {
            Mode::Commit => "expires_ms INTEGER, place INTEGER, value BLOB",
            Mode::Merge => "version INTEGER NOT NULL, value BLOB NOT NULL",
        };
        ddl += &format!(
            "CREATE TABLE IF NOT EXISTS {}(partition BLOB NOT NULL, row BLOB NOT NULL, {columns}, PRIMARY KEY({key})) \
             WITHOUT ROWID, STRICT;",
            tree(table)
        );
    }
    let transaction = connection.transaction().map_err(super::failed)?;
    transaction.execute_batch(&ddl).map_err(super::failed)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(super::failed)?;
    transaction.commit().map_err(super::failed)
}
