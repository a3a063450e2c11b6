//! History for a new device: this device packs what it has, the newest first, into blobs that expire, under a key that
//! travelled with the link.
//!
//! The archive is a chain of manifests, so that the new device can show the last messages while the older ones are still
//! packed. The first manifest's name travels with the key; each next name follows from the one before. A round packs a
//! few blocks, uploads them, and then the manifest that names them; where a round was cut, it is packed anew. A manifest
//! that is there already is as good as the one that would have been sent: both name the same blocks.
//!
//! **The last round** closes the gap between packing and joining. What changed since the first round (`history_dirty`, kept
//! by triggers while there is such a job) is sent once more when the new device is in every conversation: from there on
//! it hears everything itself.

use super::chunk::{self, ChunkRef};
use super::manifest::{self, Manifest, Next};
use super::pack;
use crate::device;
use crate::event::{Event, Transfer};
use crate::http::{self, Answer};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::step::{Done, Step, Stop};
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::id::{BlobId, DeviceId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;
use zeroize::Zeroizing;

/// How long the new device may take to fetch it.
const LIFETIME_S: u64 = 7 * 24 * 3_600;
/// Requests on the way at once.
const WINDOW: usize = 3;
/// Blocks of one round. The first has fewer: the new device waits for it.
const ROUND_BLOCKS: usize = 4;
/// How long the answer to the link may take before the history is sent without it.
const APPROVAL_MS: u64 = 30_000;
/// How often this device looks whether the new one is in every conversation, if it hears nothing, and for how long.
const LOOK_EVERY_MS: u64 = 10 * 60 * 1_000;
const LOOK_FOR_MS: u64 = 24 * 3_600 * 1_000;

/// What an answer is for. `history`: the first manifest's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Chunk { history: BlobId },
    Manifest { history: BlobId },
}

impl Ask {
    fn history(self) -> BlobId {
        match self {
            Self::Chunk { history } | Self::Manifest { history } => history,
        }
    }
}

/// Where the new device finds it. Whoever has this reads everything: give it to the new device only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub blob: BlobId,
    /// 32 bytes.
    pub key: Payload,
}

/// The job's payload.
#[derive(Clone, Serialize, Deserialize)]
struct Progress {
    key: Payload,
    /// The next manifest's name.
    manifest: BlobId,
    /// Blocks below this one are still to be sent.
    below: i64,
    done: u64,
    /// One's devices when it was offered: it is for another one.
    #[serde(default)]
    known: Vec<DeviceId>,
    /// Only the last round is left; it waits for the new device until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_by_ms: Option<u64>,
}

/// What is packed and not yet named by a manifest. Losing it costs a repetition.
pub(crate) struct Round {
    chunks: Vec<ChunkRef>,
    waiting: VecDeque<(BlobId, Vec<u8>)>,
    below: i64,
    named: bool,
}

/// Makes ready to send what this device has: [`approved`] begins with it. If that is never heard, because this program ended
/// meanwhile, the job begins by itself.
pub(crate) fn offer(step: &mut Step<'_>) -> Result<Offer, Stop> {
    let mut key = Zeroizing::new([0; 32]);
    step.rng.fill_bytes(key.as_mut());
    let mut blob = [0; 16];
    step.rng.fill_bytes(&mut blob);
    let offer = Offer { blob: BlobId::from_bytes(blob), key: key.to_vec().into() };
    let progress = Progress {
        key: offer.key.clone(),
        manifest: offer.blob,
        below: i64::MAX,
        done: 0,
        known: device::of_self_chat(step)?,
        last_by_ms: None,
    };
    keep(step, offer.blob, &progress)?;
    job::put_off(step.tx, Kind::SendHistory, &blob, step.now_ms + APPROVAL_MS)?;
    Ok(offer)
}

/// The new device can have it.
pub(crate) fn approved(step: &Step<'_>, history: BlobId) -> Done {
    job::put_off(step.tx, Kind::SendHistory, history.as_bytes(), 0)
}

/// It cannot.
pub(crate) fn withdraw(step: &mut Step<'_>, history: BlobId) -> Done {
    end(step, history)
}

/// Somebody came into a conversation: it may be the new device.
pub(crate) fn look(step: &Step<'_>) -> Done {
    job::put_off_all(step.tx, Kind::SendHistory)
}

fn keep(step: &Step<'_>, history: BlobId, progress: &Progress) -> Done {
    job::add(step.tx, Kind::SendHistory, history.as_bytes(), Some(&to_cbor(progress)))
}

fn progress(step: &Step<'_>, subject: &[u8]) -> Result<Option<Progress>, Stop> {
    Ok(job::payload(step.tx, Kind::SendHistory, subject)?.and_then(|payload| from_cbor(&payload).ok()))
}

fn end(step: &mut Step<'_>, history: BlobId) -> Done {
    step.mem.histories.remove(&history);
    job::done(step.tx, Kind::SendHistory, history.as_bytes())?;
    if job::subjects(step.tx, Kind::SendHistory)?.is_empty() {
        step.tx.execute("DELETE FROM history_dirty", [])?;
    }
    Ok(())
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>, subject: &[u8]) -> Done {
    let (Some(history), Some(progress)) = (BlobId::from_slice(subject), progress(step, subject)?) else {
        return job::done(step.tx, Kind::SendHistory, subject);
    };
    let mut round = match step.mem.histories.remove(&history) {
        Some(round) => round,
        None if progress.last_by_ms.is_some_and(|by_ms| step.now_ms < by_ms) && !is_everywhere(step, &progress)? => {
            return job::put_off(step.tx, Kind::SendHistory, subject, step.now_ms + LOOK_EVERY_MS);
        }
        None => pack_round(step, &progress)?,
    };
    let mut open =
        step.mem.requests.count(|purpose| matches!(purpose, Purpose::History(ask) if ask.history() == history));
    while open < WINDOW
        && let Some((blob, sealed)) = round.waiting.pop_front()
    {
        put(step, Ask::Chunk { history }, blob, sealed)?;
        open += 1;
    }
    if open == 0 && !round.named {
        round.named = true;
        let sealed = seal_manifest(step, &progress, &round)?;
        put(step, Ask::Manifest { history }, progress.manifest, sealed)?;
    }
    step.mem.histories.insert(history, round);
    Ok(())
}

/// Whether the new device is in every conversation that this device is in.
fn is_everywhere(step: &Step<'_>, progress: &Progress) -> Result<bool, Stop> {
    let mut new = device::of_self_chat(step)?;
    new.retain(|device| !progress.known.contains(device));
    Ok(!new.is_empty() && device::are_in_all(step, &new)?)
}

fn pack_round(step: &mut Step<'_>, progress: &Progress) -> Result<Round, Stop> {
    let is_first = progress.below == i64::MAX;
    let is_last = progress.last_by_ms.is_some();
    let mut portions = if is_first || is_last { pack::state(step.tx)? } else { Vec::new() };
    let mut below = progress.below;
    if is_last {
        // They were counted already.
        let again = pack::dirty(step.tx)?;
        portions.extend(again.into_iter().map(|portion| pack::Portion { messages: 0, ..portion }));
    }
    for _ in 0..if is_last {
        0
    } else if is_first {
        1
    } else {
        ROUND_BLOCKS
    } {
        let Some(block) = pack::newest_block(step.tx, below)? else {
            below = 0;
            break;
        };
        portions.extend(pack::block(step.tx, block)?);
        below = block;
    }
    let mut round = Round { chunks: Vec::new(), waiting: VecDeque::new(), below, named: false };
    for portion in portions {
        let (chunk, sealed) = chunk::seal(step.rng, &portion.plain, portion.messages);
        round.waiting.push_back((chunk.blob, sealed));
        round.chunks.push(chunk);
    }
    Ok(round)
}

fn seal_manifest(step: &mut Step<'_>, progress: &Progress, round: &Round) -> Result<Vec<u8>, Stop> {
    let key = <[u8; 32]>::try_from(progress.key.as_slice());
    let key = Zeroizing::new(key.map_err(|_| Stop::Fault("a history's key has a wrong length".into()))?);
    let next = match progress.last_by_ms {
        Some(_) => None,
        None => {
            let blob = next_name(&progress.key, progress.manifest);
            Some(Next { blob, messages: pack::count(step.tx, round.below)? })
        }
    };
    let account = step.me()?.sender.account;
    let manifest =
        Manifest { account, made_ms: step.now_ms, identity: None, name: None, chunks: round.chunks.clone(), next };
    Ok(manifest::seal(step.rng, &key, &manifest))
}

fn next_name(key: &Payload, name: BlobId) -> BlobId {
    let hash = Sha256::new()
        .chain_update(b"tidings history v1")
        .chain_update(key.as_slice())
        .chain_update(name.as_bytes())
        .finalize();
    BlobId::from_slice(&hash[..16]).expect("16 bytes are an id")
}

fn put(step: &mut Step<'_>, ask: Ask, blob: BlobId, sealed: Vec<u8>) -> Done {
    let path = format!("/v1/blobs/{blob}?expires_in_s={LIFETIME_S}");
    http::ask(step, Purpose::History(ask), Method::Put, path, HttpBody::Bytes(sealed))
}

pub(crate) fn answered(step: &mut Step<'_>, ask: Ask, answer: Answer) -> Done {
    let history = ask.history();
    match (ask, answer) {
        // The job sends the next one.
        (Ask::Chunk { .. }, Ok(_)) => Ok(()),
        (Ask::Manifest { .. }, Ok(_)) => named(step, history),
        // It got there before the last restart.
        (Ask::Manifest { .. }, Err(failure)) if failure.code() == Some(Code::Conflict) => named(step, history),
        (_, Err(failure)) if failure.may_pass() => {
            step.mem.histories.remove(&history);
            job::later(step, Kind::SendHistory, history.as_bytes(), failure.retry_after_ms())
        }
        (_, Err(failure)) => {
            tracing::warn!(code = ?failure.code(), "history cannot be sent");
            end(step, history)
        }
    }
}

/// The round is complete.
fn named(step: &mut Step<'_>, history: BlobId) -> Done {
    let (Some(round), Some(progress)) = (step.mem.histories.remove(&history), progress(step, history.as_bytes())?)
    else {
        return Ok(());
    };
    if progress.last_by_ms.is_some() {
        tracing::info!(messages = progress.done, "the history is sent");
        step.event(Event::HistorySent { messages: progress.done });
        return end(step, history);
    }
    let done = progress.done + round.chunks.iter().map(|chunk| chunk.messages).sum::<u64>();
    let left = pack::count(step.tx, round.below)?;
    step.event(Event::Transfer { what: Transfer::History, done, total: done + left });
    let is_last = pack::newest_block(step.tx, round.below)?.is_none();
    let manifest = next_name(&progress.key, progress.manifest);
    let last_by_ms = is_last.then_some(step.now_ms + LOOK_FOR_MS);
    // That it went on makes what failed before no failure.
    job::done(step.tx, Kind::SendHistory, history.as_bytes())?;
    keep(step, history, &Progress { manifest, below: round.below, done, last_by_ms, ..progress })
}
