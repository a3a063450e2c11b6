//! Coming into a group because somebody added this device: a welcome in the inbox, the tree from the server.
//!
//! The tree is that of the commit that the welcome belongs to, so the first entry that this device can read is the next
//! one, and nothing is missed. If the server does not have it (the commit never came to be, or too long ago), the device
//! comes in by external commit, if it is a member at all.

use super::notice::{self, At};
use super::{join, member, repair, work};
use crate::conversation::{self, Row, Standing};
use crate::device;
use crate::event::Event;
use crate::http::{self, Answer};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::keys;
use crate::membership;
use crate::memory::{Hold, Purpose};
use crate::mls::MlsError;
use crate::own_commit;
use crate::receipt;
use crate::rejoin;
use crate::rollback;
use crate::rotate;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use rusqlite::{OptionalExtension, params};
use tidings_proto::entry::ConversationKind;
use tidings_proto::http::GroupInfo;
use tidings_proto::id::{AccountId, ConversationId, LogId, MessageId};

/// So often a welcome's tree is asked for before it counts as void: the commit is written after the welcome.
const TRIES_MAX: u32 = 3;

/// The server shows a group in which this device is not: by which way does it come in?
pub(crate) fn arrive(step: &mut Step<'_>, row: &Row) -> Done {
    let conversation = row.conversation;
    let log = LogId::from(conversation);
    if own_commit::find(step.tx, conversation)?.is_some() || rejoin::is_wanted(step.tx, conversation)? {
        step.mem.logs.hold(log, Some(Hold::Join));
    } else if membership::has_welcome(step, conversation)? {
        step.mem.logs.hold(log, Some(Hold::Join));
        want(step, conversation)?;
    } else if step.mem.logs.held(log) == Some(Hold::InboxRead) {
        rejoin::want(step, conversation)?;
        step.mem.logs.hold(log, Some(Hold::Join));
    } else {
        step.mem.logs.hold(log, Some(Hold::Inbox));
        let inbox = LogId::from(step.me()?.sender.device);
        step.mem.logs.behind(inbox, 0);
    }
    Ok(())
}

/// There is a welcome that may let this device in.
pub(crate) fn want(step: &Step<'_>, conversation: ConversationId) -> Done {
    if job::exists(step.tx, Kind::Welcome, conversation.as_bytes())? {
        return Ok(());
    }
    job::add(step.tx, Kind::Welcome, conversation.as_bytes(), None)
}

/// Whether this device is on its way into a group that it was added to, and had no bad luck with it yet.
pub(crate) fn is_entering(step: &Step<'_>) -> Result<bool, Stop> {
    job::is_fresh(step.tx, Kind::Welcome)
}

struct Pending {
    commit: MessageId,
    by: AccountId,
    payload: Vec<u8>,
}

/// The oldest: what was said while one was in before is read with it, and what comes after the next one with that.
fn pending(step: &Step<'_>, conversation: ConversationId) -> Result<Option<Pending>, Stop> {
    Ok(step
        .tx
        .prepare_cached(
            "SELECT commit_id, account, payload FROM pending_welcome WHERE conversation = ?1 ORDER BY rowid LIMIT 1",
        )?
        .query_row([conversation.as_bytes()], |row| {
            Ok(Pending {
                commit: MessageId::from_bytes(row.get(0)?),
                by: AccountId::from_bytes(row.get(1)?),
                payload: row.get(2)?,
            })
        })
        .optional()?)
}

fn count(step: &Step<'_>, conversation: ConversationId) -> Result<u64, Stop> {
    Ok(step
        .tx
        .prepare_cached("SELECT count(*) FROM pending_welcome WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))?)
}

fn discard(step: &Step<'_>, conversation: ConversationId, commit: MessageId) -> Done {
    step.tx
        .prepare_cached("DELETE FROM pending_welcome WHERE conversation = ?1 AND commit_id = ?2")?
        .execute(params![conversation.as_bytes(), commit.as_bytes()])?;
    Ok(())
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let subject = conversation.as_bytes();
    // A member goes on as it is; the welcome is for after a removal that it has not read yet.
    let inside = conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some());
    let Some(pending) = pending(step, conversation)?.filter(|_| !inside) else {
        return job::done(step.tx, Kind::Welcome, subject);
    };
    let purpose = Purpose::WelcomeInfo { conversation, commit: pending.commit };
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    let path = format!("/v1/conversations/{conversation}/group-info?commit={}", pending.commit);
    http::ask(step, purpose, Method::Get, path, HttpBody::Empty)
}

pub(crate) fn answered(step: &mut Step<'_>, conversation: ConversationId, commit: MessageId, answer: Answer) -> Done {
    let subject = conversation.as_bytes();
    let Some(pending) = pending(step, conversation)?.filter(|pending| pending.commit == commit) else {
        return Ok(());
    };
    let info = match http::read::<GroupInfo>(answer) {
        Ok(info) => info,
        Err(failure) if failure.may_pass() => {
            return job::later(step, Kind::Welcome, subject, failure.retry_after_ms());
        }
        Err(_) if job::attempts(step.tx, Kind::Welcome, subject)? < TRIES_MAX => {
            return job::later(step, Kind::Welcome, subject, None);
        }
        Err(_) => return void(step, conversation, commit),
    };
    let oldest = step.mem.logs.logs.get(&conversation.into()).map_or(0, |state| state.oldest);
    if info.commit_seq + 1 < oldest && count(step, conversation)? > 1 {
        // What could be read with it is gone: the next one.
        discard(step, conversation, commit)?;
        return run(step, conversation);
    }
    let tree = info.tree.as_ref().map(|tree| tree.as_slice());
    let kind = ConversationKind::Group;
    match step.mls()?.join(step.tx, conversation, kind, &pending.payload, tree) {
        Ok(joined) => {
            keys::one_used(step)?;
            rotate::joined(step, conversation)?;
            discard(step, conversation, commit)?;
            let is_back = repair::is_due(step.tx, conversation)?;
            membership::check_identities(step, conversation, &joined.members, info.commit_seq, step.now_ms)?;
            entered(step, conversation, joined.epoch, info.commit_seq, step.now_ms)?;
            device::settle(step, conversation)?;
            if joined.copied {
                rollback::came_in_again(step, conversation)?;
            }
            if is_back {
                return Ok(());
            }
            let own = step.me()?.sender.account;
            let at = At { conversation, seq: info.commit_seq, time_ms: step.now_ms };
            let who = vec![Person::nameless(own)];
            notice::say(step, at, pending.by, &Notice::Added { by: Person::nameless(pending.by), who })
        }
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "a welcome cannot be used");
            void(step, conversation, commit)
        }
    }
}

/// The welcome leads nowhere. If there is no other one, the device comes in by itself, if it is a member.
fn void(step: &mut Step<'_>, conversation: ConversationId, commit: MessageId) -> Done {
    discard(step, conversation, commit)?;
    job::done(step.tx, Kind::Welcome, conversation.as_bytes())?;
    if membership::has_welcome(step, conversation)? {
        return want(step, conversation);
    }
    let row = conversation::ensure(step, conversation, None)?;
    rejoin::want(step, conversation)?;
    if rejoin::is_followed(step.tx, &row)? {
        step.mem.logs.hold(conversation.into(), None);
        step.mem.logs.behind(conversation.into(), 0);
    }
    Ok(())
}

/// This device is in the group now, from the commit at `seq` on.
pub(crate) fn entered(step: &mut Step<'_>, conversation: ConversationId, epoch: u64, seq: u64, time_ms: u64) -> Done {
    let subject = conversation.as_bytes();
    let before = conversation::ensure(step, conversation, None)?;
    own_commit::delete(step.tx, conversation)?;
    job::done(step.tx, Kind::Welcome, subject)?;
    job::done(step.tx, Kind::Rejoin, subject)?;
    repair::over(step, conversation)?;
    step.tx.prepare_cached("DELETE FROM leaving WHERE conversation = ?1")?.execute([subject])?;
    conversation::set_created(step.tx, conversation, true)?;
    conversation::set_standing(step.tx, conversation, Standing::Member)?;
    conversation::set_epoch(step.tx, conversation, Some(epoch))?;
    conversation::set_cursor(step.tx, conversation, seq)?;
    conversation::set_active(step.tx, conversation, time_ms)?;
    let came_after = member::came_after(step.tx, &before, seq)?;
    member::refresh(step, conversation, (seq, time_ms), came_after)?;
    receipt::cursor(step, conversation.into(), seq);
    step.mem.logs.hold(conversation.into(), None);
    step.mem.logs.behind(conversation.into(), 0);
    step.event(Event::ConversationChanged { conversation });
    join::settle(step, conversation, None)?;
    work::want(step, conversation)
}
