//! Leaving. An entry says so, and from there on the person is no member; the next commit takes their leaves out, and
//! until then the server takes no message.
//!
//! Whoever has something to send commits first. If nobody has, an admin's device does it after a while, a random one;
//! and if no admin is there, somebody else's after a longer one.

use super::notice::{self, At};
use super::{intent, member, work};
use crate::conversation::{self, Standing};
use crate::device;
use crate::error::ClientError;
use crate::event::Event;
use crate::http::{self, Answer, Failure};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::outbox;
use crate::own_commit;
use crate::rejoin;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use rand_chacha::rand_core::RngCore;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use tidings_proto::entry::{Entry, Sender};
use tidings_proto::group::LeaveProof;
use tidings_proto::http::{Leavers, PostLeave, Posted};
use tidings_proto::id::{AccountId, ConversationId, DeviceId};
use tidings_proto::problem::{Code, Next};

/// How long an admin's device waits for somebody else to take out who left, and another member's.
const ADMIN_WAIT_MS: u64 = 2_000;
const MEMBER_WAIT_MS: u64 = 30_000;

/// Somebody left, as the log says.
pub(crate) fn seen(step: &mut Step<'_>, conversation: ConversationId, entry: &Entry, proof: &LeaveProof) -> Done {
    let who = entry.sender.account;
    let at = At { conversation, seq: entry.seq, time_ms: entry.time_ms };
    if who == step.me()?.sender.account {
        out(step, at, Standing::Left)?;
        return notice::say(step, at, who, &Notice::Left { who: Person::nameless(who) });
    }
    let in_group = conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some());
    if proof.sender.account != who || !in_group {
        return Ok(());
    }
    if !step.mls()?.verifies_leave(step.tx, conversation, proof)? {
        tracing::warn!(%conversation, seq = entry.seq, "somebody is said to have left who did not say so");
        return Ok(());
    }
    note(step.tx, conversation, proof)?;
    member::remove(step.tx, conversation, who)?;
    notice::say(step, at, who, &Notice::Left { who: Person::nameless(who) })?;
    tidy_later(step, conversation)
}

fn note(tx: &Connection, conversation: ConversationId, proof: &LeaveProof) -> Done {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO leaving (conversation, account, device, signature) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        conversation.as_bytes(),
        proof.sender.account.as_bytes(),
        proof.sender.device.as_bytes(),
        proof.signature.as_slice()
    ])?;
    Ok(())
}

/// Somebody takes out who left; this device does if nobody else was faster.
fn tidy_later(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let own = step.me()?.sender.account;
    let admin = member::rules(step.tx, conversation)?.is_some_and(|rules| rules.is_admin(own));
    let wait_ms = if admin { ADMIN_WAIT_MS } else { MEMBER_WAIT_MS };
    let at_ms = step.now_ms + wait_ms + step.rng.next_u64() % (2 * wait_ms);
    job::add_at(step.tx, Kind::Group, conversation.as_bytes(), at_ms)
}

/// This device came in by itself, or is told that somebody is gone of whom it does not know: the word of that may stand
/// before its part of the log.
pub(crate) fn ask_who(step: &Step<'_>, conversation: ConversationId) -> Done {
    job::add_at(step.tx, Kind::Leavers, conversation.as_bytes(), 0)
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let purpose = Purpose::Leavers { conversation };
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    http::ask(step, purpose, Method::Get, format!("/v1/conversations/{conversation}/leave"), HttpBody::Empty)
}

pub(crate) fn told(step: &mut Step<'_>, conversation: ConversationId, answer: Answer) -> Done {
    let subject = conversation.as_bytes();
    let told = match http::read::<Leavers>(answer) {
        Ok(told) => told,
        Err(failure) if failure.may_pass() => {
            return job::later(step, Kind::Leavers, subject, failure.retry_after_ms());
        }
        Err(_) => return job::done(step.tx, Kind::Leavers, subject),
    };
    job::done(step.tx, Kind::Leavers, subject)?;
    // A device that is not in it (any more) asks again when it is.
    let Some(epoch) = conversation::find(step.tx, conversation)?.and_then(|row| row.epoch) else { return Ok(()) };
    device::told_gone(step, conversation, &told.gone)?;
    for proof in &told.left {
        if step.mls()?.verifies_leave(step.tx, conversation, proof)? {
            note(step.tx, conversation, proof)?;
            member::remove(step.tx, conversation, proof.sender.account)?;
            step.event(Event::ConversationChanged { conversation });
            tidy_later(step, conversation)?;
        }
    }
    let waits = !told.left.is_empty() || !told.gone.is_empty();
    if waits && told.epoch == epoch && !work::is_due(step, conversation)? {
        // None of them has a leaf here: this is not the group that the others are in.
        return rejoin::want(step, conversation);
    }
    Ok(())
}

/// This account is not in the group any more. What was said stays.
pub(crate) fn out(step: &mut Step<'_>, at: At, standing: Standing) -> Done {
    let conversation = at.conversation;
    own_commit::delete(step.tx, conversation)?;
    job::done(step.tx, Kind::Rejoin, conversation.as_bytes())?;
    job::done(step.tx, Kind::Leavers, conversation.as_bytes())?;
    step.mem.logs.hold(conversation.into(), None);
    step.mls()?.delete(step.tx, conversation)?;
    conversation::set_epoch(step.tx, conversation, None)?;
    conversation::set_standing(step.tx, conversation, standing)?;
    step.tx.prepare_cached("DELETE FROM leaving WHERE conversation = ?1")?.execute([conversation.as_bytes()])?;
    let own = step.me()?.sender.account;
    member::remove(step.tx, conversation, own)?;
    let why = "you are not in this group any more";
    let failure = Failure::new(Code::Forbidden, why);
    super::join::settle(step, conversation, Some(&failure))?;
    outbox::fail_all(step, conversation, &failure)?;
    intent::fail_all(step, conversation, &ClientError::NotAllowed { why: why.into() })?;
    step.event(Event::ConversationChanged { conversation });
    Ok(())
}

pub(crate) fn accounts(tx: &Connection, conversation: ConversationId) -> Result<BTreeSet<AccountId>, Stop> {
    Ok(proofs(tx, conversation)?.into_iter().map(|proof| proof.sender.account).collect())
}

/// Of everybody who left and still has leaves.
pub(crate) fn proofs(tx: &Connection, conversation: ConversationId) -> Result<Vec<LeaveProof>, Stop> {
    Ok(tx
        .prepare_cached("SELECT account, device, signature FROM leaving WHERE conversation = ?1")?
        .query_map([conversation.as_bytes()], |row| {
            let sender =
                Sender { account: AccountId::from_bytes(row.get(0)?), device: DeviceId::from_bytes(row.get(1)?) };
            Ok(LeaveProof { sender, signature: row.get::<_, Vec<u8>>(2)?.into() })
        })?
        .collect::<Result<_, _>>()?)
}

/// Whoever has no leaves any more has left for good.
pub(crate) fn settle(tx: &Connection, conversation: ConversationId, with_leaves: &BTreeSet<AccountId>) -> Done {
    for account in accounts(tx, conversation)?.difference(with_leaves) {
        tx.prepare_cached("DELETE FROM leaving WHERE conversation = ?1 AND account = ?2")?
            .execute([conversation.as_bytes(), account.as_bytes()])?;
    }
    Ok(())
}

/// Tells the server that this account leaves; the log then says so to everybody, this device too.
pub(crate) fn post(step: &mut Step<'_>, conversation: ConversationId, epoch: u64) -> Done {
    let purpose = Purpose::Leave { conversation };
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    let proof = step.mls()?.prove_leave(step.tx, conversation)?;
    let body = http::json(&PostLeave { message_id: step.fresh_id(), epoch, proof });
    http::ask(step, purpose, Method::Post, format!("/v1/conversations/{conversation}/leave"), body)
}

pub(crate) fn posted(step: &mut Step<'_>, conversation: ConversationId, answer: Answer) -> Done {
    let Some(row) = intent::first(step.tx, conversation)?.filter(|row| row.intent == intent::Intent::Leave) else {
        return Ok(());
    };
    match http::read::<Posted>(answer) {
        Ok(posted) => {
            step.mem.logs.behind(conversation.into(), posted.seq);
            intent::finish(step, conversation, &row, Ok(()))
        }
        // Not a member: it was done before.
        Err(failure) if matches!(failure.code(), Some(Code::NotFound)) => {
            intent::finish(step, conversation, &row, Ok(()))
        }
        Err(failure) if failure.may_pass() || failure.code().is_some_and(|code| code.next() == Next::Sync) => {
            step.mem.logs.behind(conversation.into(), 0);
            job::later(step, Kind::Group, conversation.as_bytes(), failure.retry_after_ms())
        }
        Err(failure) => intent::finish(step, conversation, &row, Err(failure.to_client_error())),
    }
}
