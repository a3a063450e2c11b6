//! The durable job that makes the backup: pack what changed, upload it, complete it, and delete what is no longer named.
//!
//! ```text
//! Idle ─ look at the server ─▶ Messages ─▶ State ─▶ Manifest ─▶ Complete ─▶ Tidy ─▶ Idle
//! ```
//!
//! A run packs the blocks that were dirty when it began; what changes meanwhile is for the next one. A chunk is noted
//! before it is sent and counts once the server has it; what was on its way when a run was cut is packed anew under
//! another name and key. Nothing that the newest complete manifest names is deleted before the next one is complete.

use super::row::{self, Row};
use super::set::no_backup;
use super::{Ask, Stage};
use crate::archive::chunk::{self, ChunkRef};
use crate::archive::manifest::{self, Manifest};
use crate::archive::pack::{self, Portion};
use crate::error::ClientError;
use crate::event::{Event, Transfer};
use crate::http::{self, Answer, Failure};
use crate::io::{CallId, HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::mls::Identity;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use rand_chacha::rand_core::RngCore;
use rusqlite::params;
use sha2::{Digest, Sha256};
use tidings_proto::backup::{Backup, Blobs, PutBackup};
use tidings_proto::id::BlobId;
use tidings_proto::problem::Code;

/// From the end of a run to the next one.
pub(crate) const EVERY_MS: u64 = 6 * 3_600 * 1_000;
/// Requests on the way at once.
const WINDOW: usize = 3;
/// The block of all that is no message.
const STATE_BLOCK: i64 = -1;

/// `Command::BackUp`: at once, and answered at its end.
pub(crate) fn now(step: &mut Step<'_>, reply: CallId) -> Done {
    step.me()?;
    if row::find(step.tx)?.is_none() {
        return Err(no_backup().into());
    }
    step.mem.backup.replies.push(reply);
    job::add(step.tx, Kind::Backup, &[], None)
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>) -> Done {
    let Some(row) = row::find(step.tx)? else { return job::done(step.tx, Kind::Backup, &[]) };
    if job::exists(step.tx, Kind::Import, &[])? {
        // A manifest without what is still to come would be a loss.
        return Ok(());
    }
    let open = step.mem.requests.count(is_run);
    match step.mem.backup.stage {
        Stage::Idle if open == 0 => ask(step, Ask::Look, Method::Get, "/v1/backup".into(), HttpBody::Empty),
        Stage::Messages => messages(step, open),
        Stage::State if open == 0 => manifest(step, &row),
        Stage::Manifest if open == 0 => complete(step, &row),
        Stage::Tidy => tidy(step, &row, open),
        Stage::Idle | Stage::State | Stage::Manifest | Stage::Complete => Ok(()),
    }
}

fn is_run(purpose: &Purpose) -> bool {
    let Purpose::Backup(ask) = purpose else { return false };
    matches!(
        ask,
        Ask::Look | Ask::Chunk { .. } | Ask::Manifest { .. } | Ask::Complete { .. } | Ask::List | Ask::Delete { .. }
    )
}

fn ask(step: &mut Step<'_>, ask: Ask, method: Method, path: String, body: HttpBody) -> Done {
    http::ask(step, Purpose::Backup(ask), method, path, body)
}

/// What the server has. Another secret than ours: another device makes the backup now.
pub(crate) fn looked(step: &mut Step<'_>, answer: Answer) -> Done {
    let Some(row) = row::find(step.tx)? else { return Ok(()) };
    let there = match http::read::<Backup>(answer) {
        Ok(there) => there,
        Err(failure) if failure.code() == Some(Code::NotFound) => return taken_over(step),
        Err(failure) => return failed(step, &failure),
    };
    if there.kdf.salt != row.lock.kdf.salt {
        return taken_over(step);
    }
    let stale = row.stale || there.manifest != row.manifest || there.manifest.is_none();
    if let Some(former) = row.manifest.filter(|former| there.manifest != Some(*former)) {
        // The answer to the newest one was lost, or somebody else was here.
        step.tx.execute("INSERT OR IGNORE INTO archive_garbage (blob) VALUES (?1)", [former.as_bytes()])?;
    }
    row::put(step.tx, &Row { generation: there.generation, manifest: there.manifest, stale, ..row })?;
    reclaim(step)?;
    step.tx.execute("UPDATE archive_dirty SET queued = 1", [])?;
    step.mem.backup.stage = Stage::Messages;
    run(step)
}

fn taken_over(step: &mut Step<'_>) -> Done {
    tracing::info!("another device makes the backup of this account, or it was ended");
    row::forget(step.tx)?;
    job::done(step.tx, Kind::Backup, &[])?;
    step.mem.backup.stage = Stage::Idle;
    let why = "another device of yours makes the backup now, or ended it".to_owned();
    tell(step, &Err(ClientError::NotAllowed { why }))
}

/// Chunks that may or may not have arrived are packed anew.
fn reclaim(step: &Step<'_>) -> Done {
    let lost = "SELECT block FROM archive_chunk WHERE stored = 0";
    step.tx.execute(
        &format!("INSERT OR IGNORE INTO archive_garbage (blob) SELECT blob FROM archive_chunk WHERE block IN ({lost})"),
        [],
    )?;
    step.tx.execute(
        "INSERT OR IGNORE INTO archive_dirty (block) SELECT DISTINCT block FROM archive_chunk
         WHERE stored = 0 AND block >= 0",
        [],
    )?;
    step.tx.execute(&format!("DELETE FROM archive_chunk WHERE block IN ({lost})"), [])?;
    Ok(())
}

fn messages(step: &mut Step<'_>, mut open: usize) -> Done {
    while open < WINDOW {
        let block: Option<i64> = step
            .tx
            .prepare_cached("SELECT max(block) FROM archive_dirty WHERE queued = 1")?
            .query_row([], |row| row.get(0))?;
        let Some(block) = block else { break };
        let portions = pack::block(step.tx, block)?;
        step.tx.prepare_cached("DELETE FROM archive_dirty WHERE block = ?1")?.execute([block])?;
        open += upload(step, block, &portions)?;
    }
    if open > 0 {
        return Ok(());
    }
    step.mem.backup.stage = Stage::State;
    let portions = pack::state(step.tx)?;
    if upload(step, STATE_BLOCK, &portions)? == 0 { run(step) } else { Ok(()) }
}

/// Sends the portions of a block unless the server has just these. Returns how many are on the way.
fn upload(step: &mut Step<'_>, block: i64, portions: &[Portion]) -> Result<usize, Stop> {
    let hashes: Vec<Vec<u8>> = portions.iter().map(|portion| Sha256::digest(&portion.plain).to_vec()).collect();
    let former: Vec<Vec<u8>> = step
        .tx
        .prepare_cached("SELECT plain FROM archive_chunk WHERE block = ?1 AND stored = 1 ORDER BY part")?
        .query_map([block], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if former == hashes {
        return Ok(0);
    }
    step.tx
        .prepare_cached("INSERT OR IGNORE INTO archive_garbage (blob) SELECT blob FROM archive_chunk WHERE block = ?1")?
        .execute([block])?;
    step.tx.prepare_cached("DELETE FROM archive_chunk WHERE block = ?1")?.execute([block])?;
    step.tx.execute("UPDATE backup SET stale = 1", [])?;
    for (part, (portion, plain)) in portions.iter().zip(&hashes).enumerate() {
        let (chunk, sealed) = chunk::seal(step.rng, &portion.plain, portion.messages);
        step.tx
            .prepare_cached(
                "INSERT INTO archive_chunk (block, part, blob, key, hash, bytes, messages, plain)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                block,
                part,
                chunk.blob.as_bytes(),
                chunk.key.as_slice(),
                chunk.hash.as_slice(),
                chunk.bytes,
                chunk.messages,
                plain,
            ])?;
        put_blob(step, Ask::Chunk { blob: chunk.blob }, chunk.blob, sealed)?;
    }
    Ok(portions.len())
}

fn put_blob(step: &mut Step<'_>, purpose: Ask, blob: BlobId, sealed: Vec<u8>) -> Done {
    ask(step, purpose, Method::Put, format!("/v1/blobs/{blob}"), HttpBody::Bytes(sealed))
}

pub(crate) fn chunk_stored(step: &mut Step<'_>, blob: BlobId, answer: Answer) -> Done {
    if let Err(failure) = answer {
        return failed(step, &failure);
    }
    step.tx.prepare_cached("UPDATE archive_chunk SET stored = 1 WHERE blob = ?1")?.execute([blob.as_bytes()])?;
    let done: u64 = step
        .tx
        .prepare_cached("SELECT coalesce(sum(messages), 0) FROM archive_chunk WHERE stored = 1")?
        .query_row([], |row| row.get(0))?;
    let total = pack::count(step.tx, i64::MAX)?;
    step.event(Event::Transfer { what: Transfer::Backup, done: done.min(total), total });
    Ok(())
}

/// Everything is there: what names it, unless the newest manifest does already.
fn manifest(step: &mut Step<'_>, row: &Row) -> Done {
    if !row.stale {
        step.mem.backup.stage = Stage::Tidy;
        return run(step);
    }
    let account = step.me()?.sender.account;
    let identity = Identity::secret(step.tx)?.map(|secret| secret.to_vec().into());
    let manifest = Manifest {
        account,
        made_ms: step.now_ms,
        identity,
        name: step.name.map(str::to_owned),
        chunks: chunks(step)?,
        next: None,
    };
    let sealed = manifest::seal(step.rng, &row.key, &manifest);
    let mut blob = [0; 16];
    step.rng.fill_bytes(&mut blob);
    let blob = BlobId::from_bytes(blob);
    // Rubbish, until it is the newest one.
    step.tx.execute("INSERT OR IGNORE INTO archive_garbage (blob) VALUES (?1)", [blob.as_bytes()])?;
    step.mem.backup.stage = Stage::Manifest;
    step.mem.backup.manifest = Some(blob);
    put_blob(step, Ask::Manifest { blob }, blob, sealed)
}

/// In the order in which they are to be read.
pub(super) fn chunks(step: &Step<'_>) -> Result<Vec<ChunkRef>, Stop> {
    let mut statement = step.tx.prepare_cached(
        "SELECT blob, key, hash, bytes, messages FROM archive_chunk ORDER BY block >= 0, block DESC, part",
    )?;
    let chunks = statement
        .query_map([], |row| {
            Ok(ChunkRef {
                blob: BlobId::from_bytes(row.get(0)?),
                key: row.get::<_, Vec<u8>>(1)?.into(),
                hash: row.get::<_, Vec<u8>>(2)?.into(),
                bytes: row.get(3)?,
                messages: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(chunks)
}

pub(crate) fn manifest_stored(step: &mut Step<'_>, blob: BlobId, answer: Answer) -> Done {
    match answer {
        Ok(_) => {
            tracing::debug!(%blob, "the manifest is at the server");
            Ok(())
        }
        Err(failure) => failed(step, &failure),
    }
}

fn complete(step: &mut Step<'_>, row: &Row) -> Done {
    let Some(manifest) = step.mem.backup.manifest.take() else {
        step.mem.backup.stage = Stage::Idle;
        return Ok(());
    };
    step.mem.backup.stage = Stage::Complete;
    let body = http::json(&PutBackup { generation: row.generation + 1, manifest });
    ask(step, Ask::Complete { manifest }, Method::Put, "/v1/backup".into(), body)
}

pub(crate) fn completed(step: &mut Step<'_>, manifest: BlobId, answer: Answer) -> Done {
    if let Err(failure) = answer {
        return failed(step, &failure);
    }
    let Some(row) = row::find(step.tx)? else { return Ok(()) };
    if let Some(former) = row.manifest {
        step.tx.execute("INSERT OR IGNORE INTO archive_garbage (blob) VALUES (?1)", [former.as_bytes()])?;
    }
    step.tx.execute("DELETE FROM archive_garbage WHERE blob = ?1", [manifest.as_bytes()])?;
    let generation = row.generation + 1;
    let new = Row { generation, manifest: Some(manifest), made_ms: step.now_ms, stale: false, ..row };
    row::put(step.tx, &new)?;
    step.mem.backup.stage = Stage::Tidy;
    run(step)
}

fn tidy(step: &mut Step<'_>, row: &Row, open: usize) -> Done {
    if row.tidy {
        let is_listing = step.mem.requests.is_open(|purpose| *purpose == Purpose::Backup(Ask::List));
        return if is_listing { Ok(()) } else { list(step, None) };
    }
    let left: Vec<[u8; 16]> = step
        .tx
        .prepare_cached("SELECT blob FROM archive_garbage LIMIT ?1")?
        .query_map([WINDOW], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if left.is_empty() && open == 0 {
        return finish(step);
    }
    for blob in left.into_iter().map(BlobId::from_bytes) {
        let purpose = Ask::Delete { blob };
        if !step.mem.requests.is_open(|other| *other == Purpose::Backup(purpose.clone())) {
            ask(step, purpose, Method::Delete, format!("/v1/blobs/{blob}"), HttpBody::Empty)?;
        }
    }
    Ok(())
}

fn list(step: &mut Step<'_>, after: Option<BlobId>) -> Done {
    let path = after.map_or("/v1/blobs".to_owned(), |after| format!("/v1/blobs?after={after}"));
    ask(step, Ask::List, Method::Get, path, HttpBody::Empty)
}

/// After a restore, or a change of the device that makes the backup: what nobody names goes. History on its way to a
/// device expires by itself.
pub(crate) fn listed(step: &mut Step<'_>, answer: Answer) -> Done {
    let blobs = match http::read::<Blobs>(answer) {
        Ok(blobs) => blobs,
        Err(failure) => return failed(step, &failure),
    };
    for blob in blobs.blobs.iter().filter(|blob| blob.expires_ms.is_none()) {
        step.tx
            .prepare_cached(
                "INSERT OR IGNORE INTO archive_garbage (blob) SELECT ?1
                 WHERE NOT EXISTS (SELECT 1 FROM archive_chunk WHERE blob = ?1)
                 AND NOT EXISTS (SELECT 1 FROM backup WHERE manifest = ?1)",
            )?
            .execute([blob.blob.as_bytes()])?;
    }
    match blobs.next {
        Some(next) => list(step, Some(next)),
        None => {
            step.tx.execute("UPDATE backup SET tidy = 0", [])?;
            run(step)
        }
    }
}

pub(crate) fn deleted(step: &mut Step<'_>, blob: BlobId, answer: Answer) -> Done {
    match answer {
        Err(failure) if failure.may_pass() => failed(step, &failure),
        _ => {
            step.tx.prepare_cached("DELETE FROM archive_garbage WHERE blob = ?1")?.execute([blob.as_bytes()])?;
            Ok(())
        }
    }
}

fn finish(step: &mut Step<'_>) -> Done {
    step.mem.backup.stage = Stage::Idle;
    job::done(step.tx, Kind::Backup, &[])?;
    job::add_at(step.tx, Kind::Backup, &[], step.now_ms + EVERY_MS)?;
    let view = row::view(step)?;
    tell(step, &Ok(Reply::Backup(view)))
}

/// The run ends here, and begins again later.
fn failed(step: &mut Step<'_>, failure: &Failure) -> Done {
    tracing::info!(code = ?failure.code(), "the backup was cut");
    step.mem.backup.stage = Stage::Idle;
    let at_least_ms = if failure.may_pass() { failure.retry_after_ms() } else { Some(EVERY_MS) };
    job::later(step, Kind::Backup, &[], at_least_ms)?;
    tell(step, &Err(failure.to_client_error()))
}

fn tell(step: &mut Step<'_>, result: &Result<Reply, ClientError>) -> Done {
    for reply in std::mem::take(&mut step.mem.backup.replies) {
        step.reply(reply, result.clone());
    }
    Ok(())
}

/// History came: the backup of this device, if it makes one, is due.
pub(crate) fn soon(step: &Step<'_>) -> Done {
    if row::find(step.tx)?.is_some() { job::add(step.tx, Kind::Backup, &[], None) } else { Ok(()) }
}
