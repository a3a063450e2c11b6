//! What a commit in the log means for this device: its own one takes effect, a welcome lets it in, another one's moves
//! the epoch. And what all of them mean for the people in it: identity keys are compared with the pinned ones.

use crate::archive::{import, send};
use crate::contact;
use crate::conversation::{self, Standing};
use crate::device;
use crate::event::Event;
use crate::group;
use crate::group::member::Moved;
use crate::group::notice::At;
use crate::group::repair;
use crate::job::{self, Kind};
use crate::keys;
use crate::message;
use crate::mls::MlsError;
use crate::mls::group::Committed;
use crate::mls::join::Joined;
use crate::own_commit;
use crate::receipt;
use crate::rejoin;
use crate::rollback;
use crate::rotate;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use rusqlite::{OptionalExtension, params};
use tidings_proto::credential::Credential;
use tidings_proto::entry::{ConversationKind, Entry};
use tidings_proto::frame::Commit;
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// The server says where an own commit stands. It takes effect in the log's order: at once if it is next, or if this
/// device cannot read anything before it anyway.
pub(crate) fn placed(
    step: &mut Step<'_>,
    conversation: ConversationId,
    message: MessageId,
    seq: u64,
    time_ms: u64,
) -> Done {
    if step.mem.in_flight.commits.get(&conversation) == Some(&message) {
        step.mem.in_flight.commits.remove(&conversation);
    }
    let ours = own_commit::find(step.tx, conversation)?.is_some_and(|commit| commit.message_id == message);
    let Some(row) = conversation::find(step.tx, conversation)?.filter(|_| ours) else { return Ok(()) };
    // Who comes into a group anew has nothing to do with what was said before.
    let anew = !row.joined || row.standing != Standing::Member;
    if seq <= row.cursor {
        return Ok(());
    }
    if !anew && seq != row.cursor + 1 {
        step.mem.in_flight.placed.insert(conversation, message);
        step.mem.logs.behind(conversation.into(), seq);
        return Ok(());
    }
    own_in_log(step, conversation, seq, time_ms)?;
    step.mem.logs.hold(conversation.into(), None);
    conversation::set_cursor(step.tx, conversation, seq)?;
    receipt::cursor(step, conversation.into(), seq);
    let is_told = anew && import::has_history(step.tx)?;
    if seq > row.cursor + 1 && (row.kind != ConversationKind::Group || !anew) && !is_told {
        let about = step.me()?.sender.account;
        message::notice(step, conversation, about, seq, time_ms, &Notice::HistoryMissing)?;
    }
    let state = step.mem.logs.logs.get(&conversation.into()).copied().unwrap_or_default();
    if state.head > seq {
        step.mem.logs.behind(conversation.into(), state.head);
    }
    Ok(())
}

pub(crate) fn is_own_commit(step: &Step<'_>, conversation: ConversationId, message: MessageId) -> Result<bool, Stop> {
    Ok(own_commit::find(step.tx, conversation)?.is_some_and(|commit| commit.message_id == message))
}

/// The own commit is the next entry of the log.
pub(crate) fn own_in_log(step: &mut Step<'_>, conversation: ConversationId, seq: u64, time_ms: u64) -> Done {
    let Some(commit) = own_commit::find(step.tx, conversation)? else { return Ok(()) };
    own_commit::delete(step.tx, conversation)?;
    job::done(step.tx, Kind::Rejoin, conversation.as_bytes())?;
    job::done(step.tx, Kind::Create, conversation.as_bytes())?;
    match step.mls()?.merge_pending(step.tx, conversation) {
        Ok(committed) => {
            rotate::renewed(step, conversation)?;
            match conversation.may_be_group() {
                true => own_in_group(step, &commit, &committed, seq, time_ms),
                false => took_effect(step, conversation, &committed, seq, time_ms),
            }
        }
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "the own commit cannot be merged");
            rejoin::want(step, conversation)
        }
    }
}

/// The same, in a group.
fn own_in_group(step: &mut Step<'_>, commit: &Commit, committed: &Committed, seq: u64, time_ms: u64) -> Done {
    let conversation = commit.conversation;
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    let by = committed.author.account;
    let at = At { conversation, seq, time_ms };
    conversation::set_created(step.tx, conversation, true)?;
    conversation::set_epoch(step.tx, conversation, Some(committed.epoch))?;
    conversation::set_standing(step.tx, conversation, Standing::Member)?;
    device::took_out(step, conversation, &committed.removed, seq)?;
    let members = step.mls()?.members(step.tx, conversation)?;
    check_identities(step, conversation, &members, seq, time_ms)?;
    if commit.change.create.is_some() {
        group::notice::say(step, at, by, &Notice::GroupCreated { by: Person::nameless(by) })?;
    }
    let came_after = if commit.change.external { group::member::came_after(step.tx, &row, seq)? } else { seq };
    let mut moved = group::member::refresh(step, conversation, (seq, time_ms), came_after)?;
    device::settle(step, conversation)?;
    if commit.change.external {
        // Whom this device did not see coming was there before; that it comes in itself is all there is to tell.
        let anew = !row.joined || row.standing != Standing::Member;
        if commit.change.invite.is_some() && anew {
            group::notice::say(step, at, by, &Notice::JoinedByLink { who: Person::nameless(by) })?;
        }
        clear_welcomes(step, conversation)?;
        repair::returned(step, conversation)?;
        return group::join::entered(step, conversation);
    }
    moved.came.retain(|account| *account != by);
    people_came(step, conversation, &moved)?;
    group::notice::moved(step, at, by, false, &moved)?;
    group::work::settled(step, conversation, commit.message_id)
}

/// New people do not know how one is called.
fn people_came(step: &Step<'_>, conversation: ConversationId, moved: &Moved) -> Done {
    if moved.came.is_empty() { Ok(()) } else { conversation::set_profile_told(step.tx, conversation, false) }
}

/// Somebody else's commit took effect in a group.
fn took_effect_in_group(step: &mut Step<'_>, at: At, committed: &Committed) -> Done {
    let conversation = at.conversation;
    let by = committed.author.account;
    if committed.removed_self && !committed.expelled {
        // Another device of this account is still in it: come back.
        return rejoin::want(step, conversation);
    }
    if committed.expelled {
        group::leave::out(step, at, Standing::Removed)?;
        let own = step.me()?.sender.account;
        let who = vec![Person::nameless(own)];
        group::notice::say(step, at, by, &Notice::Removed { by: Person::nameless(by), who })?;
        return if has_welcome(step, conversation)? { group::welcome::want(step, conversation) } else { Ok(()) };
    }
    conversation::set_epoch(step.tx, conversation, Some(committed.epoch))?;
    group::work::lost(step, conversation)?;
    check_identities(step, conversation, &committed.added, at.seq, at.time_ms)?;
    check_identities(step, conversation, &committed.updated, at.seq, at.time_ms)?;
    let moved = group::member::refresh(step, conversation, (at.seq, at.time_ms), at.seq)?;
    device::settle(step, conversation)?;
    people_came(step, conversation, &moved)?;
    let entered = committed.added.iter().any(|credential| credential.account == by);
    group::notice::moved(step, at, by, entered, &moved)?;
    step.event(Event::ConversationChanged { conversation });
    Ok(())
}

fn clear_welcomes(step: &Step<'_>, conversation: ConversationId) -> Done {
    step.tx
        .prepare_cached("DELETE FROM pending_welcome WHERE conversation = ?1")?
        .execute([conversation.as_bytes()])?;
    job::done(step.tx, Kind::Welcome, conversation.as_bytes())
}

/// A commit took effect in the group.
pub(crate) fn took_effect(
    step: &mut Step<'_>,
    conversation: ConversationId,
    committed: &Committed,
    seq: u64,
    time_ms: u64,
) -> Done {
    send::look(step)?;
    if conversation.may_be_group() {
        return took_effect_in_group(step, At { conversation, seq, time_ms }, committed);
    }
    if committed.removed_self {
        return rejoin::want(step, conversation);
    }
    conversation::set_epoch(step.tx, conversation, Some(committed.epoch))?;
    device::settle(step, conversation)?;
    if committed.own {
        device::took_out(step, conversation, &committed.removed, seq)?;
        // After an external commit nothing but the members themselves tells who is in.
        let members = step.mls()?.members(step.tx, conversation)?;
        return check_identities(step, conversation, &members, seq, time_ms);
    }
    group::work::lost(step, conversation)?;
    device::came(step, conversation, &committed.added)?;
    check_identities(step, conversation, &committed.added, seq, time_ms)?;
    check_identities(step, conversation, &committed.updated, seq, time_ms)
}

/// Joins by the welcome that belongs to this commit. `false`: there is none that can be used.
pub(crate) fn join(step: &mut Step<'_>, conversation: ConversationId, entry: &Entry) -> Result<bool, Stop> {
    let Some(welcome) = take_welcome(step, conversation, entry.message_id)? else { return Ok(false) };
    let kind = conversation::kind(step.me()?.sender.account, conversation);
    match step.mls()?.join(step.tx, conversation, kind, &welcome, None) {
        Ok(Joined { epoch, members, copied }) => {
            own_commit::delete(step.tx, conversation)?;
            job::done(step.tx, Kind::Rejoin, conversation.as_bytes())?;
            job::done(step.tx, Kind::Create, conversation.as_bytes())?;
            conversation::set_epoch(step.tx, conversation, Some(epoch))?;
            // Those of races that were lost.
            clear_welcomes(step, conversation)?;
            keys::one_used(step)?;
            rotate::joined(step, conversation)?;
            device::settle(step, conversation)?;
            check_identities(step, conversation, &members, entry.seq, entry.time_ms)?;
            if copied {
                rollback::came_in_again(step, conversation)?;
            }
            Ok(true)
        }
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "a welcome cannot be used");
            Ok(false)
        }
    }
}

/// Everybody who is in: the other person of a direct conversation, and the keys that vouch for the devices.
pub(crate) fn check_identities(
    step: &mut Step<'_>,
    conversation: ConversationId,
    credentials: &[Credential],
    seq: u64,
    time_ms: u64,
) -> Done {
    let own = step.me()?.sender.account;
    for credential in credentials {
        if ConversationId::direct(own, credential.account) == conversation {
            conversation::ensure(step, conversation, Some(credential.account))?;
        }
        contact::saw_identity(step, conversation, credential, Some((seq, time_ms)))?;
    }
    Ok(())
}

/// The other account of a direct conversation, if it is one of these.
pub(crate) fn peer_among(
    step: &Step<'_>,
    conversation: ConversationId,
    accounts: impl IntoIterator<Item = AccountId>,
) -> Result<Option<AccountId>, Stop> {
    let own = step.me()?.sender.account;
    Ok(accounts.into_iter().find(|account| ConversationId::direct(own, *account) == conversation))
}

/// A welcome came into the inbox; whether it counts the conversation's log will say.
pub(crate) fn keep_welcome(
    step: &Step<'_>,
    conversation: ConversationId,
    commit: MessageId,
    by: AccountId,
    payload: &[u8],
) -> Done {
    step.tx
        .prepare_cached(
            "INSERT OR REPLACE INTO pending_welcome (conversation, commit_id, account, payload) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![conversation.as_bytes(), commit.as_bytes(), by.as_bytes(), payload])?;
    Ok(())
}

pub(crate) fn has_welcome(step: &Step<'_>, conversation: ConversationId) -> Result<bool, Stop> {
    Ok(step
        .tx
        .prepare_cached("SELECT 1 FROM pending_welcome WHERE conversation = ?1")?
        .exists([conversation.as_bytes()])?)
}

fn take_welcome(step: &Step<'_>, conversation: ConversationId, commit: MessageId) -> Result<Option<Vec<u8>>, Stop> {
    Ok(step
        .tx
        .prepare_cached("DELETE FROM pending_welcome WHERE conversation = ?1 AND commit_id = ?2 RETURNING payload")?
        .query_row([conversation.as_bytes(), commit.as_bytes()], |row| row.get(0))
        .optional()?)
}
