//! The archive as a file, written and read in parts, so that neither side holds all of it.
//!
//! ```text
//! magic | length (u32) | Lock in CBOR | chunk | chunk | … | manifest | where the manifest begins (u64) | magic
//! ```
//!
//! The manifest names the chunks in their order, with their sizes; what is cut, moved or changed is found by it.

use super::restore;
use super::row;
use super::secret::{self, BackupKey, Lock};
use super::set::{no_backup, wrong};
use crate::archive::chunk::{self, ChunkRef};
use crate::archive::manifest::{self, Manifest};
use crate::archive::pack;
use crate::archive::unpack;
use crate::command::FileHead;
use crate::error::ClientError;
use crate::event::{Event, Transfer};
use crate::io::CallId;
use crate::mls::Identity;
use crate::reply::Reply;
use crate::session;
use crate::step::{Step, Stop};
use std::collections::VecDeque;
use tidings_proto::codec::{from_cbor, to_cbor};

pub const MAGIC: &[u8; 8] = b"TIDBACK1";

/// How long a restored device waits for the state in a file before it reads the logs without.
const STATE_TIMEOUT_MS: u64 = 60_000;

/// A file that is being written.
pub(crate) struct Writing {
    key: BackupKey,
    next_part: u64,
    /// Blocks below this one are still to be packed.
    below: Option<i64>,
    /// Packed already.
    ready: VecDeque<pack::Portion>,
    chunks: Vec<ChunkRef>,
    bytes: u64,
    total: u64,
}

/// A file that is being read.
pub(crate) struct Reading {
    chunks: Vec<ChunkRef>,
    done: u64,
    total: u64,
}

fn not_allowed(why: impl Into<String>) -> ClientError {
    ClientError::NotAllowed { why: why.into() }
}

/// The next part of the file; part 0 begins anew.
pub(crate) fn write(step: &mut Step<'_>, part: u64) -> Result<Reply, Stop> {
    step.me()?;
    if part == 0 {
        return begin(step);
    }
    let Some(mut writing) = step.mem.backup.file.take().filter(|writing| writing.next_part == part) else {
        return Err(not_allowed("a file is written in one go, from its first part on").into());
    };
    while writing.ready.is_empty()
        && let Some(below) = writing.below
    {
        writing.below = pack::newest_block(step.tx, below)?;
        if let Some(block) = writing.below {
            writing.ready = pack::block(step.tx, block)?.into();
        }
    }
    let Some(portion) = writing.ready.pop_front() else { return finish(step, &writing) };
    let (chunk, sealed) = chunk::seal(step.rng, &portion.plain, portion.messages);
    writing.chunks.push(chunk);
    writing.bytes += sealed.len() as u64;
    writing.next_part += 1;
    let done = writing.chunks.iter().map(|chunk| chunk.messages).sum();
    let total = writing.total;
    step.mem.backup.file = Some(writing);
    Ok(Reply::FilePart { bytes: sealed.into(), more: true, done, total })
}

fn begin(step: &mut Step<'_>) -> Result<Reply, Stop> {
    let Some(row) = row::find(step.tx)? else { return Err(no_backup().into()) };
    let lock = to_cbor(&row.lock);
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&(lock.len() as u32).to_be_bytes());
    head.extend_from_slice(&lock);
    let total = pack::count(step.tx, i64::MAX)?;
    step.mem.backup.file = Some(Writing {
        key: row.key,
        next_part: 1,
        below: Some(i64::MAX),
        ready: pack::state(step.tx)?.into(),
        chunks: Vec::new(),
        bytes: head.len() as u64,
        total,
    });
    Ok(Reply::FilePart { bytes: head.into(), more: true, done: 0, total })
}

fn finish(step: &mut Step<'_>, writing: &Writing) -> Result<Reply, Stop> {
    let manifest = Manifest {
        account: step.me()?.sender.account,
        made_ms: step.now_ms,
        identity: Identity::secret(step.tx)?.map(|secret| secret.to_vec().into()),
        name: step.name.map(str::to_owned),
        chunks: writing.chunks.clone(),
        next: None,
    };
    let mut bytes = manifest::seal(step.rng, &writing.key, &manifest);
    bytes.extend_from_slice(&writing.bytes.to_be_bytes());
    bytes.extend_from_slice(MAGIC);
    Ok(Reply::FilePart { bytes: bytes.into(), more: false, done: manifest.messages(), total: writing.total })
}

/// Opens a file by its head and its manifest. A device that is signed in and has no keys yet gets the account's identity
/// back, and opens the file once more when that is at the server; then its parts can be merged.
pub(crate) fn open(step: &mut Step<'_>, reply: CallId, head: &FileHead, secret: String) -> Result<Option<Reply>, Stop> {
    let secret = zeroize::Zeroizing::new(secret);
    let lock: Lock = from_cbor(head.lock.as_slice()).map_err(|_| not_allowed("this is no backup of Tidings"))?;
    let account = restore::account(step)?;
    let derived = secret::derive(&lock.kdf, &secret).ok_or_else(|| not_allowed("this is no backup of Tidings"))?;
    let Some(key) = secret::unwrap(&derived, account, lock.wrapped.as_slice()) else {
        return Err(wrong_or_other(&lock).into());
    };
    let manifest = manifest::open(&key, head.manifest.as_slice()).map_err(|error| not_allowed(error.to_string()))?;
    if manifest.account != account {
        return Err(not_allowed("the backup is of another account").into());
    }
    if step.mem.me.is_none() {
        restore::take_identity(step, &manifest)?;
        step.mem.backup.state_by_ms = Some(step.now_ms + STATE_TIMEOUT_MS);
        step.mem.login = Some(reply);
        return Ok(None);
    }
    let sizes: Vec<u64> = manifest.chunks.iter().map(|chunk| chunk.bytes).collect();
    step.mem.backup.reading = Some(Reading { total: manifest.messages(), chunks: manifest.chunks, done: 0 });
    Ok(Some(Reply::FileOpened { sizes }))
}

fn wrong_or_other(lock: &Lock) -> ClientError {
    match wrong(lock.kdf.secret) {
        ClientError::NotAllowed { why } => not_allowed(format!("{why}, or the backup is of another account")),
        other => other,
    }
}

/// One chunk of the file that was opened.
pub(crate) fn part(step: &mut Step<'_>, index: u64, bytes: &[u8]) -> Result<Reply, Stop> {
    step.me()?;
    let chunk =
        usize::try_from(index).ok().and_then(|index| step.mem.backup.reading.as_ref()?.chunks.get(index).cloned());
    let Some(chunk) = chunk else { return Err(not_allowed("open the file first").into()) };
    let plain = chunk::open(&chunk, bytes).map_err(|error| not_allowed(error.to_string()))?;
    if let Err(error) = unpack::merge(step, &plain)? {
        return Err(not_allowed(error.to_string()).into());
    }
    if let Some(reading) = &mut step.mem.backup.reading {
        // The state's parts come first.
        if chunk.messages > 0 || index + 1 == reading.chunks.len() as u64 {
            session::go_on(&mut step.mem.session);
            step.mem.backup.state_by_ms = None;
        }
        reading.done += chunk.messages;
        let (done, total) = (reading.done, reading.total);
        step.event(Event::Transfer { what: Transfer::Restore, done, total });
    }
    Ok(Reply::Done)
}
