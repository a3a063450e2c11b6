//! The row of the backup, and what people see of it.

use super::secret::{BackupKey, Lock};
use crate::step::{Done, Step, Stop};
use crate::view;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::id::BlobId;
use zeroize::Zeroizing;

/// The person is asked to prove that they still know the secret after so long.
const PROVE_AFTER_MS: u64 = 30 * 24 * 3_600 * 1_000;

pub(crate) struct Row {
    pub key: BackupKey,
    pub lock: Lock,
    pub generation: u64,
    pub manifest: Option<BlobId>,
    pub made_ms: u64,
    pub stale: bool,
    pub tidy: bool,
    pub proved_ms: u64,
}

pub(crate) fn find(tx: &Connection) -> Result<Option<Row>, Stop> {
    let found = tx
        .prepare_cached("SELECT lock, key, generation, manifest, made_ms, stale, tidy, proved_ms FROM backup")?
        .query_row([], |row| Ok((row.get::<_, Vec<u8>>(0)?, read(row)?)))
        .optional()?;
    let Some((lock, row)) = found else { return Ok(None) };
    let lock = from_cbor(&lock).map_err(|error| Stop::Fault(format!("backup.lock: {error}")))?;
    Ok(Some(row(lock)))
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<impl FnOnce(Lock) -> Row + use<>> {
    let key = Zeroizing::new(row.get(1)?);
    let (generation, made_ms, proved_ms) = (row.get(2)?, row.get(4)?, row.get(7)?);
    let manifest = row.get::<_, Option<[u8; 16]>>(3)?.map(BlobId::from_bytes);
    let (stale, tidy) = (row.get(5)?, row.get(6)?);
    Ok(move |lock| Row { key, lock, generation, manifest, made_ms, stale, tidy, proved_ms })
}

/// Begins a backup, or changes its secret.
pub(crate) fn put(tx: &Connection, row: &Row) -> Done {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO backup (one, key, lock, generation, manifest, made_ms, stale, tidy, proved_ms)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        row.key.as_slice(),
        to_cbor(&row.lock).to_vec(),
        row.generation,
        row.manifest.as_ref().map(BlobId::as_bytes),
        row.made_ms,
        row.stale,
        row.tidy,
        row.proved_ms,
    ])?;
    Ok(())
}

/// This device makes no backup any more.
pub(crate) fn forget(tx: &Connection) -> Done {
    for table in ["backup", "archive_chunk", "archive_dirty", "archive_garbage"] {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    Ok(())
}

pub(crate) fn view(step: &Step<'_>) -> Result<view::Backup, Stop> {
    let (chunks, bytes, messages) = step
        .tx
        .prepare_cached(
            "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(messages), 0) FROM archive_chunk WHERE stored = 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let pending: u64 = step.tx.prepare_cached("SELECT count(*) FROM archive_dirty")?.query_row([], |row| row.get(0))?;
    let row = find(step.tx)?;
    Ok(view::Backup {
        secret: row.as_ref().map(|row| row.lock.kdf.secret),
        made_ms: row.as_ref().map(|row| row.made_ms).filter(|made_ms| *made_ms > 0),
        generation: row.as_ref().map_or(0, |row| row.generation),
        prove: row.as_ref().is_some_and(|row| step.now_ms >= row.proved_ms.saturating_add(PROVE_AFTER_MS)),
        chunks,
        bytes,
        messages,
        pending,
    })
}
