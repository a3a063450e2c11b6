//! New keys for this device's leaf, by a commit of its own: the first soon after a welcome let it in, with keys that lay at
//! the server, then one every month. Whoever got hold of a device's keys reads nothing of what is said after the next
//! one (post-compromise security, RFC 9420 section 16.6).
//!
//! Any own commit brings new keys, so each puts the next rotation off. In a large group a commit goes to many and is
//! large itself, above all the first of each member after all were added together (mls.md, pitfall 8), so members take
//! turns over a longer time there.

use crate::conversation::{self, Standing};
use crate::group::work;
use crate::job::{self, Kind};
use crate::mls::MlsError;
use crate::own_commit;
use crate::rejoin;
use crate::step::{Done, Step, Stop};
use rand_chacha::rand_core::RngCore;
use tidings_proto::id::ConversationId;

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// From one own commit to the next, in a group of up to `SMALL` devices. In a larger one, so much longer: nobody ever
/// gets more than `SMALL` rotations in `PERIOD_MS`.
const PERIOD_MS: u64 = 30 * DAY_MS;
const SMALL: u64 = 100;
/// The first one comes at a random moment in this time, times devices by `SMALL_FIRST`, since a first one is dear.
const FIRST_MS: u64 = DAY_MS;
const SMALL_FIRST: u64 = 32;
/// Not before this: a conversation that was just made has better things to do.
const FIRST_LEAST_MS: u64 = 2 * HOUR_MS;
/// What could not be done now is tried again after this.
const RETRY_MS: u64 = 6 * HOUR_MS;

/// A welcome let this device in, with keys that it uploaded long ago.
pub(crate) fn joined(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let spread_ms = FIRST_MS * devices(step, conversation)?.div_ceil(SMALL_FIRST);
    let wait_ms = FIRST_LEAST_MS + step.rng.next_u64() % spread_ms;
    put_off(step, conversation, wait_ms)
}

/// An own commit took effect.
pub(crate) fn renewed(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let period_ms = PERIOD_MS * devices(step, conversation)?.div_ceil(SMALL);
    let wait_ms = period_ms + step.rng.next_u64() % (period_ms / 10);
    put_off(step, conversation, wait_ms)
}

/// The job: it makes the commit, and `group/work.rs` sends it until the log tells what became of it.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let Some(row) = conversation::find(step.tx, conversation)?.filter(|row| row.standing == Standing::Member) else {
        return job::done(step.tx, Kind::Rotate, conversation.as_bytes());
    };
    put_off(step, conversation, RETRY_MS)?;
    let busy = row.epoch.is_none()
        || step.mem.logs.is_reading(conversation.into())
        || rejoin::is_wanted(step.tx, conversation)?
        || own_commit::find(step.tx, conversation)?.is_some();
    if busy {
        return Ok(());
    }
    if work::is_due(step, conversation)? {
        return work::want(step, conversation);
    }
    if devices(step, conversation)? == 1 {
        return renewed(step, conversation);
    }
    match step.mls()?.self_update(step.tx, conversation) {
        Ok(bundle) => {
            let message = step.fresh_id();
            own_commit::put(step.tx, &bundle.into_frame(conversation, message))?;
            work::want(step, conversation)
        }
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "this device's keys cannot be renewed now");
            Ok(())
        }
    }
}

fn put_off(step: &Step<'_>, conversation: ConversationId, wait_ms: u64) -> Done {
    let subject = conversation.as_bytes();
    job::done(step.tx, Kind::Rotate, subject)?;
    job::add_at(step.tx, Kind::Rotate, subject, step.now_ms + wait_ms)
}

/// At least this one.
fn devices(step: &Step<'_>, conversation: ConversationId) -> Result<u64, Stop> {
    match step.mls()?.devices(step.tx, conversation) {
        Ok(devices) => Ok((devices.len() as u64).max(1)),
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(_) => Ok(1),
    }
}
