//! Taking over entries, in the log's order, each exactly once.
//!
//! Nothing in a log can stop it: what cannot be decrypted becomes a message that says so, and a group that cannot be
//! followed is joined anew (rejoin.rs). Only two things hold a conversation's log for a while: a commit whose welcome
//! may still be in the inbox, and the own external commit of a device that was never in the group.
//!
//! A page is authoritative for its range: a seq that it skips has expired, and that is shown where it was.

use crate::chat_state;
use crate::content::Content;
use crate::conversation::{self, Standing};
use crate::device;
use crate::group::notice::At;
use crate::group::{self, profile::Profile, repair};
use crate::membership;
use crate::memory::Hold;
use crate::message::{self, timer};
use crate::mls::MlsError;
use crate::mls::message::Processed;
use crate::mls::rules::Declared;
use crate::outbox;
use crate::own;
use crate::own_commit;
use crate::profile;
use crate::receipt;
use crate::rejoin;
use crate::rollback;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use crate::view::Notice;
use tidings_proto::entry::{Body, Change, ConversationKind, Entry};
use tidings_proto::id::{ConversationId, LogId};

/// Whether the log can be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    On,
    Held(Hold),
}

/// Takes over entries of a conversation that follow each other, after the cursor. `to`: up to there nothing else is
/// kept (the end of a page that says "caught up").
pub(crate) fn take(step: &mut Step<'_>, conversation: ConversationId, entries: &[Entry], to: Option<u64>) -> Done {
    let log = LogId::from(conversation);
    let peer = membership::peer_among(step, conversation, entries.iter().map(|entry| entry.sender.account))?;
    let row = conversation::ensure(step, conversation, peer)?;
    if !row.created {
        conversation::set_created(step.tx, conversation, true)?;
    }
    if row.kind == ConversationKind::Group && row.epoch.is_none() && !rejoin::is_followed(step.tx, &row)? {
        return group::welcome::arrive(step, &row);
    }
    let mut cursor = row.cursor;
    let mut only_own = true;
    let mut held = None;
    for entry in entries.iter().filter(|entry| entry.seq > row.cursor) {
        missing(step, conversation, cursor, entry.seq - 1, entry.time_ms)?;
        match one(step, conversation, entry)? {
            Went::On => cursor = entry.seq,
            Went::Held(hold) => {
                held = Some(hold);
                break;
            }
        }
        only_own &= entry.sender.account == step.me()?.sender.account;
    }
    if let Some(to) = to.filter(|to| held.is_none() && *to > cursor) {
        missing(step, conversation, cursor, to, step.now_ms)?;
        cursor = to;
        only_own = false;
    }
    // An empty log is none: it is kept back, or not there yet.
    if to.is_some_and(|to| to > 0) && held.is_none() && is_stranger(step, conversation)? {
        rejoin::want(step, conversation)?;
        held = Some(Hold::Join);
    }
    step.mem.logs.hold(log, held);
    advance(step, conversation, row.cursor, cursor, only_own)
}

/// The log was read to its end, and nothing in it let this device in.
fn is_stranger(step: &Step<'_>, conversation: ConversationId) -> Result<bool, Stop> {
    let joined = conversation::find(step.tx, conversation)?.is_some_and(|row| row.joined);
    Ok(!joined && own_commit::find(step.tx, conversation)?.is_none())
}

/// Moves the cursor, and past own entries that were acknowledged above it.
fn advance(step: &mut Step<'_>, conversation: ConversationId, from: u64, mut to: u64, only_own: bool) -> Done {
    while conversation::count_ahead(step.tx, conversation, to, to + 1)? == 1 {
        to += 1;
    }
    if to > from {
        conversation::set_cursor(step.tx, conversation, to)?;
        if only_own {
            receipt::lazy_cursor(step, conversation.into(), to);
        } else {
            receipt::cursor(step, conversation.into(), to);
        }
    }
    Ok(())
}

/// `appended`: the log has an own message at this seq.
pub(crate) fn appended(
    step: &mut Step<'_>,
    conversation: ConversationId,
    message: tidings_proto::id::MessageId,
    seq: u64,
    time_ms: u64,
) -> Done {
    if !outbox::settle(step, conversation, message, seq, time_ms)? {
        return membership::placed(step, conversation, message, seq, time_ms);
    }
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    if seq <= row.cursor {
        return Ok(());
    }
    conversation::note_ahead(step.tx, conversation, seq)?;
    if seq > row.cursor + 1 {
        // Usually the entries between are on their way already; the page shows what is not.
        step.mem.logs.behind(conversation.into(), seq);
    }
    advance(step, conversation, row.cursor, row.cursor, true)
}

/// Seqs above `after`, up to `to`, that have expired before this device read them.
fn missing(step: &mut Step<'_>, conversation: ConversationId, after: u64, to: u64, time_ms: u64) -> Done {
    let lost = to.saturating_sub(after);
    if lost == 0 || lost == conversation::count_ahead(step.tx, conversation, after, to)? {
        return Ok(());
    }
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    // Where messages disappear nobody wonders about those that did.
    if row.joined && timer::current(step.tx, conversation)?.is_none() {
        let about = step.me()?.sender.account;
        message::notice(step, conversation, about, to, time_ms, &Notice::HistoryMissing)?;
    }
    Ok(())
}

fn one(step: &mut Step<'_>, conversation: ConversationId, entry: &Entry) -> Result<Went, Stop> {
    match &entry.body {
        Body::Message { payload, .. } => said(step, conversation, entry, payload.as_slice()),
        Body::Commit { payload, change } => committed(step, conversation, entry, payload.as_slice(), change),
        Body::Leave { proof } => group::leave::seen(step, conversation, entry, proof).map(|()| Went::On),
        Body::Gone { revoked, deleted } => {
            device::gone(step, entry, revoked.as_ref())?;
            if let Some(proof) = deleted {
                own::delete::told(step, entry, proof)?;
            }
            Ok(Went::On)
        }
        // Only in an inbox.
        Body::Welcome { .. } | Body::JoinRequest { .. } | Body::LockReset { .. } => Ok(Went::On),
    }
}

fn said(step: &mut Step<'_>, conversation: ConversationId, entry: &Entry, payload: &[u8]) -> Result<Went, Stop> {
    if entry.sender == step.me()?.sender {
        let known = outbox::settle(step, conversation, entry.message_id, entry.seq, entry.time_ms)?
            || conversation::count_ahead(step.tx, conversation, entry.seq - 1, entry.seq)? == 1
            || message::find(step.tx, entry.message_id)?.is_some();
        if known {
            message::set_seq(step, entry.message_id, entry.seq, entry.time_ms)?;
        } else {
            message::unreadable(step, entry, "sent from this device, but not kept here")?;
            rollback::unknown_entry(step, conversation)?;
        }
        return Ok(Went::On);
    }
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(Went::On) };
    if row.standing != Standing::Member {
        return Ok(Went::On);
    }
    let Some(epoch) = row.epoch else {
        if !row.joined {
            return outside(step, conversation);
        }
        if !rejoin::is_wanted(step.tx, conversation)? {
            rejoin::want(step, conversation)?;
        }
        message::unreadable(step, entry, "this device had lost its keys")?;
        return Ok(Went::On);
    };
    match step.mls()?.process(step.tx, conversation, payload, None) {
        Ok(Processed::Message { sender, plaintext }) => {
            if sender.account != entry.sender.account || sender.device != entry.sender.device {
                message::unreadable(step, entry, "the server names another sender than the message itself")?;
                return Ok(Went::On);
            }
            if entry.counts() && !group::member::may_post(step.tx, conversation, sender.account)? {
                message::unreadable(step, entry, "only admins may write in this group")?;
                return Ok(Went::On);
            }
            content(step, conversation, entry, &plaintext)?;
        }
        Ok(Processed::Commit(_) | Processed::Own) => {
            message::unreadable(step, entry, "it is not what the server says it is")?;
        }
        Err(error @ MlsError::Database(_)) => return Err(error.into()),
        Err(error) => {
            message::unreadable(step, entry, &error.to_string())?;
            let lost = matches!(error, MlsError::NoGroup | MlsError::Removed);
            if lost || (entry.epoch > epoch && matches!(error, MlsError::WrongEpoch { .. })) {
                rejoin::want(step, conversation)?;
            }
        }
    }
    Ok(Went::On)
}

fn content(step: &mut Step<'_>, conversation: ConversationId, entry: &Entry, plaintext: &[u8]) -> Done {
    if chat_state::sync::heard(step, conversation, entry, plaintext)? {
        return Ok(());
    }
    let at = At { conversation, seq: entry.seq, time_ms: entry.time_ms };
    match Content::decode(plaintext, entry.message_id) {
        Ok(Content::Profile { phone, name, about, picture }) => {
            profile::told(step, at, entry.sender.account, phone.as_deref(), &profile::Profile { name, about, picture })
        }
        Ok(Content::GroupProfile { name, description, picture, timer_s }) => {
            let profile = Profile { name, description, picture, timer_s };
            group::profile::told(step, at, entry.sender.account, &profile)
        }
        Ok(Content::Timer { seconds }) => timer::told(step, at, entry.sender.account, seconds),
        Ok(Content::ProfileRequest) => group::profile::requested(step, conversation),
        Ok(content) => message::receive(step, entry, &content, plaintext),
        Err(error) => message::unreadable(step, entry, &error.to_string()),
    }
}

fn committed(
    step: &mut Step<'_>,
    conversation: ConversationId,
    entry: &Entry,
    payload: &[u8],
    change: &Change,
) -> Result<Went, Stop> {
    let me = step.me()?.sender;
    repair::seen(step.tx, conversation, change)?;
    let own = own_commit::find(step.tx, conversation)?;
    if entry.sender == me && own.as_ref().is_some_and(|own| own.message_id == entry.message_id) {
        membership::own_in_log(step, conversation, entry.seq, entry.time_ms)?;
        return Ok(Went::On);
    }
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(Went::On) };
    if row.standing != Standing::Member {
        return Ok(Went::On);
    }
    let direct = row.kind != ConversationKind::Group;
    if direct && change.added.contains(&me) && !change.external {
        if membership::join(step, conversation, entry)? {
            return Ok(Went::On);
        }
        if row.epoch.is_none() && step.mem.logs.held(conversation.into()) != Some(Hold::InboxRead) {
            return Ok(wait_for_inbox(step));
        }
    }
    if row.epoch.is_none() {
        return not_in_group(step, conversation, row.joined);
    }
    let declared = Declared { change, time_s: entry.time_ms / 1_000, seq: entry.seq };
    match step.mls()?.process(step.tx, conversation, payload, Some(declared)) {
        Ok(Processed::Commit(committed)) => {
            membership::took_effect(step, conversation, &committed, entry.seq, entry.time_ms)?;
        }
        Ok(Processed::Message { .. } | Processed::Own) => rejoin::want(step, conversation)?,
        Err(error @ MlsError::Database(_)) => return Err(error.into()),
        // From before this device came back.
        Err(MlsError::WrongEpoch { message, group }) if message < group => {}
        Err(MlsError::Denied { why }) => {
            tracing::error!(%conversation, seq = entry.seq, why, "the server passed on a forbidden commit");
            let at = At { conversation, seq: entry.seq, time_ms: entry.time_ms };
            group::leave::out(step, at, Standing::Distrusted)?;
            group::notice::say(step, at, entry.sender.account, &Notice::Distrusted)?;
        }
        Err(error) => {
            tracing::warn!(%conversation, seq = entry.seq, %error, "a commit cannot be applied");
            if !direct && matches!(error, MlsError::Invalid { .. }) {
                // Somebody may have let this device in again already.
                if step.mem.logs.held(conversation.into()) != Some(Hold::InboxRead) {
                    return Ok(wait_for_inbox(step));
                }
                repair::found(step, conversation, entry.sender)?;
            }
            rejoin::want(step, conversation)?;
        }
    }
    Ok(Went::On)
}

/// A commit of others while this device is not in the group, and that does not let it in.
fn not_in_group(step: &mut Step<'_>, conversation: ConversationId, joined: bool) -> Result<Went, Stop> {
    if !joined {
        return outside(step, conversation);
    }
    if !rejoin::is_wanted(step.tx, conversation)? {
        rejoin::want(step, conversation)?;
    }
    Ok(Went::On)
}

/// An entry from before this device was ever in the group: it is passed over if a later one lets it in.
fn outside(step: &mut Step<'_>, conversation: ConversationId) -> Result<Went, Stop> {
    if membership::has_welcome(step, conversation)? {
        return Ok(Went::On);
    }
    if step.mem.logs.held(conversation.into()) != Some(Hold::InboxRead) {
        return Ok(wait_for_inbox(step));
    }
    rejoin::want(step, conversation)?;
    Ok(Went::Held(Hold::Join))
}

/// The welcome may be in the inbox: read that to its end first.
fn wait_for_inbox(step: &mut Step<'_>) -> Went {
    let inbox = step.mem.me.as_ref().map(|me| LogId::from(me.sender.device));
    if let Some(inbox) = inbox {
        step.mem.logs.behind(inbox, 0);
    }
    Went::Held(Hold::Inbox)
}

/// Takes over entries of this device's inbox.
pub(crate) fn take_inbox(step: &mut Step<'_>, entries: &[Entry], to: Option<u64>) -> Done {
    let log = LogId::from(step.me()?.sender.device);
    let before = receipt::inbox_cursor(step.tx)?;
    let mut cursor = before;
    for entry in entries.iter().filter(|entry| entry.seq > before) {
        if let Body::Welcome { conversation, commit, payload } = &entry.body {
            membership::keep_welcome(step, *conversation, *commit, entry.sender.account, payload.as_slice())?;
            release(step, |log| log == LogId::from(*conversation));
            if conversation.may_be_group() {
                group::welcome::want(step, *conversation)?;
            }
        }
        if let Body::JoinRequest { conversation } = &entry.body {
            group::join::requested(step, *conversation, entry.sender.account);
        }
        if let Body::LockReset { opens_ms } = entry.body {
            own::lock::reset(step, opens_ms)?;
        }
        cursor = entry.seq;
    }
    if let Some(to) = to {
        cursor = cursor.max(to);
        release(step, |_| true);
    }
    if cursor > before {
        setting::put(step.tx, Setting::InboxCursor, cursor)?;
        receipt::cursor(step, log, cursor);
    }
    Ok(())
}

/// Logs that waited for the inbox are read on.
fn release(step: &mut Step<'_>, which: impl Fn(LogId) -> bool) {
    let logs = &mut step.mem.logs;
    let waiting: Vec<LogId> = logs
        .logs
        .iter()
        .filter(|(log, state)| state.hold == Some(Hold::Inbox) && which(**log))
        .map(|(log, _)| *log)
        .collect();
    for log in waiting {
        logs.hold(log, Some(Hold::InboxRead));
        logs.behind(log, 0);
    }
}
