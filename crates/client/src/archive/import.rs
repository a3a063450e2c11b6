//! Taking over an archive from blobs, chunk after chunk: the durable job behind a restore, and behind the history that an
//! old device sends. It goes on where it was cut; a chunk that cannot be used is counted and passed over.

use super::ArchiveError;
use super::chunk::{self, ChunkRef};
use super::manifest::{self, Manifest};
use super::unpack;
use crate::backup::run;
use crate::event::{Event, Transfer};
use crate::http::{self, Answer, Failure};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::id::BlobId;
use zeroize::Zeroizing;

/// Chunks on the way at once.
const WINDOW: usize = 3;
/// How often a manifest is looked for that is not there yet: at the longest wait between two looks, two days.
const LOOKS_MAX: u32 = 2 * 24 * 60;

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Manifest,
    Chunk {
        position: i64,
    },
    /// It was taken over, and nobody else needs it.
    Forget,
}

struct Row {
    key: Zeroizing<[u8; 32]>,
    manifest: Option<BlobId>,
    done: u64,
    total: u64,
    damaged: u64,
    /// Of another device's history, whose blobs are for this device alone.
    history: bool,
}

fn find(step: &Step<'_>) -> Result<Option<Row>, Stop> {
    Ok(step
        .tx
        .prepare_cached("SELECT key, manifest, done, total, damaged, history FROM import")?
        .query_row([], |row| {
            Ok(Row {
                key: Zeroizing::new(row.get(0)?),
                manifest: row.get::<_, Option<[u8; 16]>>(1)?.map(BlobId::from_bytes),
                done: row.get(2)?,
                total: row.get(3)?,
                damaged: row.get(4)?,
                history: row.get(5)?,
            })
        })
        .optional()?)
}

fn insert(step: &Step<'_>, key: &[u8; 32], manifest: Option<BlobId>, history: bool) -> Done {
    step.tx.execute("DELETE FROM import_chunk", [])?;
    step.tx.execute(
        "INSERT OR REPLACE INTO import (one, key, manifest, history) VALUES (1, ?1, ?2, ?3)",
        params![key, manifest.as_ref().map(BlobId::as_bytes), history],
    )?;
    job::add(step.tx, Kind::Import, &[], None)
}

/// Begins with a manifest that is here.
pub(crate) fn begin(step: &mut Step<'_>, key: &[u8; 32], manifest: &Manifest) -> Done {
    insert(step, key, None, false)?;
    take_manifest(step, manifest)
}

/// Begins with a history's manifest, which will be there some time.
pub(crate) fn expect(step: &Step<'_>, key: &[u8; 32], manifest: BlobId) -> Done {
    setting::put(step.tx, Setting::Linked, 1)?;
    insert(step, key, Some(manifest), true)
}

/// Whether another device tells this one what was said before it came: it does so until this one is in every
/// conversation.
pub(crate) fn has_history(tx: &Connection) -> Result<bool, Stop> {
    Ok(setting::get::<u64>(tx, Setting::Linked)?.is_some())
}

/// Whether the state in a backup, which its first chunks hold, is still to be taken over.
pub(crate) fn is_state_coming(tx: &Connection) -> Result<bool, Stop> {
    let first: Option<Vec<u8>> = tx
        .prepare_cached("SELECT chunk FROM import_chunk, import WHERE history = 0 ORDER BY position LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(first.and_then(|chunk| from_cbor::<ChunkRef>(&chunk).ok()).is_some_and(|chunk| chunk.messages == 0))
}

fn take_manifest(step: &mut Step<'_>, manifest: &Manifest) -> Done {
    for chunk in &manifest.chunks {
        step.tx.prepare_cached("INSERT INTO import_chunk (chunk) VALUES (?1)")?.execute([to_cbor(chunk).to_vec()])?;
    }
    let (next, coming) = match &manifest.next {
        Some(next) => (Some(next.blob), next.messages),
        None => (None, 0),
    };
    step.tx
        .prepare_cached("UPDATE import SET manifest = ?1, total = max(total, done + ?2)")?
        .execute(params![next.as_ref().map(BlobId::as_bytes), manifest.messages().saturating_add(coming)])?;
    Ok(())
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>) -> Done {
    let Some(row) = find(step)? else { return job::done(step.tx, Kind::Import, &[]) };
    let waiting: Vec<(i64, Vec<u8>)> = step
        .tx
        .prepare_cached("SELECT position, chunk FROM import_chunk ORDER BY position LIMIT ?1")?
        .query_map([WINDOW], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if waiting.is_empty() {
        return match row.manifest {
            Some(blob) => get(step, Ask::Manifest, blob),
            None => finish(step, &row),
        };
    }
    for (position, chunk) in waiting {
        let chunk: ChunkRef = from_cbor(&chunk).map_err(|error| Stop::Fault(format!("import_chunk: {error}")))?;
        get(step, Ask::Chunk { position }, chunk.blob)?;
    }
    Ok(())
}

fn get(step: &mut Step<'_>, ask: Ask, blob: BlobId) -> Done {
    let purpose = Purpose::Import(ask);
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    http::ask(step, purpose, Method::Get, format!("/v1/blobs/{blob}"), HttpBody::Empty)
}

pub(crate) fn answered(step: &mut Step<'_>, ask: Ask, answer: Answer) -> Done {
    match ask {
        Ask::Manifest => manifest_came(step, answer),
        Ask::Chunk { position } => chunk_came(step, position, answer),
        // What is left expires.
        Ask::Forget => Ok(()),
    }
}

fn manifest_came(step: &mut Step<'_>, answer: Answer) -> Done {
    let Some(row) = find(step)? else { return Ok(()) };
    let account = step.me()?.sender.account;
    let opened = match answer {
        Ok(sealed) => manifest::open(&row.key, &sealed),
        // The other device packs it still, or is away.
        Err(failure) => return look_again(step, &failure),
    };
    match opened {
        Ok(manifest) if manifest.account == account => {
            // Waits for it were no failures.
            job::done(step.tx, Kind::Import, &[])?;
            job::add(step.tx, Kind::Import, &[], None)?;
            take_manifest(step, &manifest)?;
            row.manifest.map_or(Ok(()), |blob| forget(step, &row, blob))
        }
        Ok(_) => give_up(step, ArchiveError::OtherAccount),
        Err(error) => give_up(step, error),
    }
}

fn look_again(step: &mut Step<'_>, failure: &Failure) -> Done {
    if job::attempts(step.tx, Kind::Import, &[])? > LOOKS_MAX {
        return give_up(step, ArchiveError::Damaged);
    }
    job::later(step, Kind::Import, &[], failure.retry_after_ms())
}

/// There is no more to be had; what came stays.
fn give_up(step: &mut Step<'_>, error: ArchiveError) -> Done {
    tracing::warn!(%error, "the archive's manifest cannot be used");
    step.tx.execute("UPDATE import SET manifest = NULL, damaged = damaged + 1", [])?;
    Ok(())
}

fn chunk_came(step: &mut Step<'_>, position: i64, answer: Answer) -> Done {
    let chunk: Option<Vec<u8>> = step
        .tx
        .prepare_cached("SELECT chunk FROM import_chunk WHERE position = ?1")?
        .query_row([position], |row| row.get(0))
        .optional()?;
    let Some(chunk) = chunk else { return Ok(()) };
    let chunk: ChunkRef = from_cbor(&chunk).map_err(|error| Stop::Fault(format!("import_chunk: {error}")))?;
    let merged = match answer {
        Ok(sealed) => match chunk::open(&chunk, &sealed) {
            Ok(plain) => unpack::merge(step, &plain)?,
            Err(error) => Err(error),
        },
        Err(failure) if failure.may_pass() => {
            return job::later(step, Kind::Import, &[], failure.retry_after_ms());
        }
        Err(_) => Err(ArchiveError::Damaged),
    };
    if let Err(error) = merged {
        tracing::warn!(blob = %chunk.blob, %error, "a part of the archive is left out");
        step.tx.execute("UPDATE import SET damaged = damaged + 1", [])?;
    }
    step.tx.prepare_cached("DELETE FROM import_chunk WHERE position = ?1")?.execute([position])?;
    step.tx.prepare_cached("UPDATE import SET done = done + ?1")?.execute([chunk.messages])?;
    let Some(row) = find(step)? else { return Ok(()) };
    step.event(Event::Transfer { what: Transfer::Restore, done: row.done, total: row.total });
    forget(step, &row, chunk.blob)
}

/// A history's blob is not needed any more.
fn forget(step: &mut Step<'_>, row: &Row, blob: BlobId) -> Done {
    if !row.history {
        return Ok(());
    }
    http::ask(step, Purpose::Import(Ask::Forget), Method::Delete, format!("/v1/blobs/{blob}"), HttpBody::Empty)
}

fn finish(step: &mut Step<'_>, row: &Row) -> Done {
    step.tx.execute("DELETE FROM import", [])?;
    job::done(step.tx, Kind::Import, &[])?;
    step.event(Event::Restored { messages: row.done, damaged: row.damaged });
    tracing::info!(messages = row.done, damaged = row.damaged, total = row.total, "an archive was taken over");
    run::soon(step)
}
