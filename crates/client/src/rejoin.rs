//! Coming (back) into a group by external commit: for a device that lost its state or its epoch, that was not invited,
//! or whose welcome cannot be used.
//!
//! The durable job goes: fetch the newest GroupInfo, make the external commit, send it until it is answered. If
//! somebody else's commit was faster, it begins again. The log's reading goes on meanwhile as far as it makes sense:
//! what was said before the own commit cannot be read by this device.

use crate::conversation::{self, Row, Standing};
use crate::device;
use crate::group::{self, intent};
use crate::http::{self, Answer, Failure};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::membership;
use crate::memory::{Hold, Purpose};
use crate::mls::MlsError;
use crate::mls::join::Entrance;
use crate::own_commit;
use crate::step::{Done, Step, Stop};
use rand_chacha::rand_core::RngCore;
use rusqlite::Connection;
use tidings_proto::entry::ConversationKind;
use tidings_proto::frame::Refused;
use tidings_proto::http::{GroupInfo, Join};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::{Code, Next};

/// How long one device's turn is.
const TURN_MS: u64 = 50;

/// This device is not in the group, or cannot follow it any more.
pub(crate) fn want(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    if is_wanted(step.tx, conversation)? {
        return Ok(());
    }
    tracing::info!(%conversation, "this device rejoins by external commit");
    let row = conversation::find(step.tx, conversation)?;
    let inside = row.as_ref().is_some_and(|row| row.joined && row.standing == Standing::Member);
    conversation::set_epoch(step.tx, conversation, None)?;
    own_commit::delete(step.tx, conversation)?;
    intent::uncommit(step.tx, conversation)?;
    step.mls()?.drop_pending(step.tx, conversation)?;
    if !inside {
        step.mem.logs.hold(conversation.into(), Some(Hold::Join));
    }
    if !row.is_some_and(|row| row.kind == ConversationKind::Group) {
        return job::add(step.tx, Kind::Rejoin, conversation.as_bytes(), None);
    }
    if membership::has_welcome(step, conversation)? {
        return group::welcome::want(step, conversation);
    }
    let at_ms = if inside { my_turn_ms(step, conversation)? } else { 0 };
    job::add_at(step.tx, Kind::Rejoin, conversation.as_bytes(), at_ms)
}

/// A commit that nobody can apply makes all devices of a group come back: one after the other.
fn my_turn_ms(step: &mut Step<'_>, conversation: ConversationId) -> Result<u64, Stop> {
    let own = step.me()?.sender.account;
    let (rank, _) = group::member::rank(step.tx, conversation, own)?;
    Ok(step.now_ms + rank * TURN_MS + step.rng.next_u64() % TURN_MS)
}

pub(crate) fn is_wanted(tx: &Connection, conversation: ConversationId) -> Result<bool, Stop> {
    job::exists(tx, Kind::Rejoin, conversation.as_bytes())
}

/// Whether the log of a group is read though this device is not in it: a member that comes back does.
pub(crate) fn is_followed(tx: &Connection, row: &Row) -> Result<bool, Stop> {
    Ok(row.joined && row.standing == Standing::Member && is_wanted(tx, row.conversation)?)
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    if step.mem.in_flight.commits.contains_key(&conversation) {
        return Ok(());
    }
    if let Some(commit) = own_commit::find(step.tx, conversation)? {
        group::work::send(step, commit);
        return Ok(());
    }
    let purpose = Purpose::GroupInfo { conversation };
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    let path = format!("/v1/conversations/{conversation}/group-info");
    match group::join::proof(step, conversation)? {
        Some(proof) => http::ask(step, purpose, Method::Post, path, http::json(&Join { proof })),
        None => http::ask(step, purpose, Method::Get, path, HttpBody::Empty),
    }
}

/// The failure, if nothing more can be done.
pub(crate) fn group_info(
    step: &mut Step<'_>,
    conversation: ConversationId,
    answer: Answer,
) -> Result<Option<Failure>, Stop> {
    let subject = conversation.as_bytes();
    if !is_wanted(step.tx, conversation)? || own_commit::find(step.tx, conversation)?.is_some() {
        return Ok(None);
    }
    let info = match http::read::<GroupInfo>(answer) {
        Ok(info) => info,
        Err(failure) if failure.may_pass() => {
            job::later(step, Kind::Rejoin, subject, failure.retry_after_ms())?;
            return Ok(None);
        }
        Err(failure) => {
            stay_out(step, conversation, Some(&failure))?;
            return Ok(Some(failure));
        }
    };
    device::keep_gone(step.tx, conversation, &info.gone)?;
    let kind = conversation::kind(step.me()?.sender.account, conversation);
    let invite = group::join::proof(step, conversation)?;
    let entrance = Entrance {
        group_info: info.group_info.as_slice(),
        tree: info.tree.as_ref().map(|tree| tree.as_slice()),
        invite: invite.as_ref(),
    };
    match step.mls()?.join_external(step.tx, conversation, kind, &entrance) {
        Ok((_, bundle)) => {
            let message = step.fresh_id();
            own_commit::put(step.tx, &bundle.into_frame(conversation, message))?;
        }
        Err(error @ MlsError::Database(_)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "the server's GroupInfo cannot be used");
            job::later(step, Kind::Rejoin, subject, None)?;
        }
    }
    Ok(None)
}

/// `refused`, of a commit. The failure, if nothing more can be done.
pub(crate) fn refused(step: &mut Step<'_>, refused: &Refused) -> Result<Option<Failure>, Stop> {
    let conversation = refused.conversation;
    let subject = conversation.as_bytes();
    tracing::info!(%conversation, code = refused.code.as_str(), detail = refused.detail, "an own commit was refused");
    match refused.code.next() {
        Next::Retry | Next::Authenticate => job::later(step, Kind::Rejoin, subject, refused.retry_after_ms)?,
        Next::Sync => {
            forget_commit(step, conversation)?;
            if let Some(head) = refused.head {
                step.mem.logs.behind(conversation.into(), head);
            }
            job::later(step, Kind::Rejoin, subject, refused.retry_after_ms)?;
        }
        Next::Tell if refused.code == Code::LoggedOut => {
            return Err(Stop::LoggedOut { why: refused.detail.clone() });
        }
        Next::Tell | Next::GiveUp => {
            forget_commit(step, conversation)?;
            let failure = Failure::from(refused);
            stay_out(step, conversation, Some(&failure))?;
            return Ok(Some(failure));
        }
    }
    Ok(None)
}

/// The log can be read (again), and may have what lets this device in: a welcome is better than an external commit,
/// for with it everything can be read that was said since.
pub(crate) fn reconsider(step: &mut Step<'_>, row: &Row) -> Done {
    if row.joined || own_commit::find(step.tx, row.conversation)?.is_some() {
        return Ok(());
    }
    stay_out(step, row.conversation, None)
}

/// It cannot be done, as when one blocks the other person. The next thing that happens there tries again.
fn stay_out(step: &mut Step<'_>, conversation: ConversationId, failure: Option<&Failure>) -> Done {
    step.mem.logs.hold(conversation.into(), None);
    job::done(step.tx, Kind::Rejoin, conversation.as_bytes())?;
    let kind = conversation::kind(step.me()?.sender.account, conversation);
    match failure.filter(|_| kind == ConversationKind::Group) {
        Some(failure) => group::join::gave_up(step, conversation, failure),
        None => Ok(()),
    }
}

fn forget_commit(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    own_commit::delete(step.tx, conversation)?;
    Ok(step.mls()?.drop_pending(step.tx, conversation)?)
}
