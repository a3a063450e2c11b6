//! What waits to be appended, and how it gets there.
//!
//! * A row is written in the transaction that shows the message with its clock, with the plaintext.
//! * It is encrypted when it is sent. The ciphertext and its epoch are stored before it leaves, and it is sent again
//!   unchanged as long as that epoch holds: whatever the server makes of several copies, there is one ciphertext.
//! * When the epoch has moved, the plaintext is encrypted anew, under the same message id: the server takes one of them.
//! * Several are on the way at once, in order, up to [`WINDOW`]. After a reconnect all that has no answer goes again.
//! * It ends with its place in the log ([`settle`]), told by `appended` or read in the log itself; or it fails for
//!   good, with a reason that people see.

use crate::content::{self, Content};
use crate::conversation::{self, Row, Standing};
use crate::db::schema::UNSENT;
use crate::event::Event;
use crate::group::notice::At;
use crate::group::{self, profile::Profile};
use crate::http::Failure;
use crate::job::{self, Kind};
use crate::memory::InFlight;
use crate::message::{self, change, expiry, timer};
use crate::mls::MlsError;
use crate::profile;
use crate::rejoin;
use crate::rollback;
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::frame::{Append, ClientFrame, Refused};
use tidings_proto::id::{ConversationId, MessageId};
use tidings_proto::limit::{APPENDS_IN_FLIGHT_MAX, PAYLOAD_MAX_BYTES};
use tidings_proto::problem::{Code, Next};

/// Appends of one conversation that are on the way at once.
pub(crate) const WINDOW: usize = 16;

/// Adds a message at the end. `target`: the message that it changes.
pub(crate) fn queue(
    step: &Step<'_>,
    conversation: ConversationId,
    message: MessageId,
    content: &Content,
    target: Option<MessageId>,
) -> Result<Vec<u8>, Stop> {
    let lifetime_s = match target {
        Some(target) => expiry::remaining_s(step, target)?,
        None if content.is_silent() => None,
        // Said again.
        None if message::find(step.tx, message)?.is_some() => expiry::lifetime_s(step.tx, message)?,
        None => timer::current(step.tx, conversation)?,
    };
    let bytes = content.encode_for(message, lifetime_s);
    step.tx
        .prepare_cached(
            "INSERT INTO outbox (message, conversation, silent, target, content) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            message.as_bytes(),
            conversation.as_bytes(),
            content.is_silent(),
            target.as_ref().map(MessageId::as_bytes),
            bytes
        ])?;
    Ok(bytes)
}

/// Adds what has no row and no notice.
pub(crate) fn queue_silent(step: &Step<'_>, conversation: ConversationId, message: MessageId, bytes: &[u8]) -> Done {
    step.tx
        .prepare_cached("INSERT INTO outbox (message, conversation, silent, content) VALUES (?1, ?2, 1, ?3)")?
        .execute(params![message.as_bytes(), conversation.as_bytes(), bytes])?;
    Ok(())
}

/// What waits there and changes no message, in order.
pub(crate) fn untargeted(tx: &Connection, conversation: ConversationId) -> Result<Vec<Content>, Stop> {
    let rows: Vec<(MessageId, Vec<u8>)> = tx
        .prepare_cached(
            "SELECT message, content FROM outbox WHERE conversation = ?1 AND silent = 1 AND target IS NULL
             ORDER BY position",
        )?
        .query_map([conversation.as_bytes()], |row| Ok((MessageId::from_bytes(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows.into_iter().filter_map(|(message, bytes)| Content::decode(&bytes, message).ok()).collect())
}

struct Waiting {
    message: MessageId,
    silent: bool,
    content: Vec<u8>,
    ciphertext: Option<Vec<u8>>,
    epoch: Option<u64>,
    next_try_ms: u64,
}

/// Sends what can be sent now.
pub(crate) fn pump(step: &mut Step<'_>) -> Done {
    if !step.mem.session.is_up() {
        return Ok(());
    }
    let conversations: Vec<ConversationId> = step
        .tx
        .prepare_cached("SELECT conversation FROM outbox GROUP BY conversation ORDER BY min(position)")?
        .query_map([], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    for conversation in conversations {
        let Some(row) = conversation::find(step.tx, conversation)? else { continue };
        if row.epoch.is_none() && conversation::is_blocked(step.tx, conversation)? {
            // The group cannot be made or joined now. A member's message goes out: the server knows what it took.
            fail_all(step, conversation, &Failure::new(Code::Blocked, "you have blocked this person; unblock first"))?;
        } else if row.standing != Standing::Member {
            let why = "you are not in this group any more";
            fail_all(step, conversation, &Failure::new(Code::Forbidden, why))?;
        } else if group::work::is_due(step, conversation)? {
            if !job::waits(step, Kind::Group, conversation.as_bytes())? {
                group::work::want(step, conversation)?;
                group::work::run(step, conversation)?;
            }
        } else if row.created
            && !step.mem.logs.is_reading(conversation.into())
            && !rejoin::is_wanted(step.tx, conversation)?
            && !rollback::is_wanted(step.tx, conversation)?
        {
            pump_one(step, &row)?;
        }
    }
    Ok(())
}

fn pump_one(step: &mut Step<'_>, row: &Row) -> Done {
    let conversation = row.conversation;
    let Some(epoch) = row.epoch else {
        if step.mem.logs.held(conversation.into()).is_none() {
            rejoin::want(step, conversation)?;
        }
        return Ok(());
    };
    for waiting in waiting(step, conversation)? {
        if step.mem.in_flight.appends.contains_key(&waiting.message) {
            if waiting.epoch != Some(epoch) {
                // It will come back as stale, and must not be overtaken.
                break;
            }
            continue;
        }
        if waiting.next_try_ms > step.now_ms || is_full(&step.mem.in_flight, conversation) {
            break;
        }
        let (message_id, silent) = (waiting.message, waiting.silent);
        let expires_in_s = content::lifetime_s(&waiting.content);
        let payload = match (waiting.ciphertext, waiting.epoch) {
            (Some(ciphertext), Some(made_for)) if made_for == epoch => ciphertext,
            _ => match encrypt(step, conversation, message_id, &waiting.content)? {
                Some((made_for, payload)) if made_for == epoch => payload,
                _ => return rejoin::want(step, conversation),
            },
        };
        if payload.len() > PAYLOAD_MAX_BYTES {
            fail(step, message_id, "the message is too long")?;
            continue;
        }
        step.mem.in_flight.appends.insert(message_id, conversation);
        let append = Append { conversation, message_id, epoch, payload: payload.into(), silent, expires_in_s };
        step.send(ClientFrame::Append(append), true);
    }
    Ok(())
}

fn is_full(in_flight: &InFlight, conversation: ConversationId) -> bool {
    in_flight.appends.len() >= APPENDS_IN_FLIGHT_MAX
        || in_flight.appends.values().filter(|other| **other == conversation).count() >= WINDOW
}

fn waiting(step: &Step<'_>, conversation: ConversationId) -> Result<Vec<Waiting>, Stop> {
    Ok(step
        .tx
        .prepare_cached(
            "SELECT message, silent, content, ciphertext, epoch, next_try_ms FROM outbox WHERE conversation = ?1
             ORDER BY position LIMIT ?2",
        )?
        .query_map(params![conversation.as_bytes(), WINDOW], |row| {
            Ok(Waiting {
                message: MessageId::from_bytes(row.get(0)?),
                silent: row.get(1)?,
                content: row.get(2)?,
                ciphertext: row.get(3)?,
                epoch: row.get(4)?,
                next_try_ms: row.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// `None`: this device is not in the group any more.
fn encrypt(
    step: &Step<'_>,
    conversation: ConversationId,
    message: MessageId,
    content: &[u8],
) -> Result<Option<(u64, Vec<u8>)>, Stop> {
    let encrypted = match step.mls()?.encrypt(step.tx, conversation, content) {
        Ok(encrypted) => encrypted,
        Err(error @ MlsError::Database(_)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%conversation, %error, "a message cannot be encrypted");
            return Ok(None);
        }
    };
    step.tx.prepare_cached("UPDATE outbox SET ciphertext = ?2, epoch = ?3 WHERE message = ?1")?.execute(params![
        message.as_bytes(),
        encrypted.payload,
        encrypted.epoch
    ])?;
    Ok(Some((encrypted.epoch, encrypted.payload)))
}

/// The message has its place in the log; false if it is none of the outbox.
pub(crate) fn settle(
    step: &mut Step<'_>,
    conversation: ConversationId,
    message: MessageId,
    seq: u64,
    time_ms: u64,
) -> Result<bool, Stop> {
    step.mem.in_flight.appends.remove(&message);
    let Some(content) = take(step, message)? else { return Ok(false) };
    let own = step.me()?.sender.account;
    let at = At { conversation, seq, time_ms };
    match Content::decode(&content, message) {
        Err(_) => message::set_seq(step, message, seq, time_ms)?,
        Ok(content) if !content.is_silent() => message::set_seq(step, message, seq, time_ms)?,
        Ok(Content::Profile { .. } | Content::ProfileRequest) => {}
        Ok(Content::GroupProfile { name, description, picture, timer_s }) => {
            let profile = Profile { name, description, picture, timer_s };
            group::profile::put(step, at, own, &profile)?;
        }
        Ok(Content::Timer { seconds }) => timer::told(step, at, own, seconds)?,
        Ok(changed) => {
            let expires_ms = expiry::at_ms(time_ms, content::lifetime_s(&content));
            change::apply(step, at, own, message, &changed, expires_ms)?;
        }
    }
    Ok(true)
}

fn take(step: &Step<'_>, message: MessageId) -> Result<Option<Vec<u8>>, Stop> {
    Ok(step
        .tx
        .prepare_cached("DELETE FROM outbox WHERE message = ?1 RETURNING content")?
        .query_row([message.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// `refused`, of an append.
pub(crate) fn refused(step: &mut Step<'_>, refused: &Refused) -> Done {
    let Refused { conversation, message_id, code, .. } = *refused;
    if step.mem.in_flight.appends.remove(&message_id).is_none() {
        return Ok(());
    }
    match code.next() {
        Next::Retry | Next::Authenticate => retry(step, message_id, refused.retry_after_ms),
        Next::Sync => stale(step, refused),
        Next::Tell if code == Code::LoggedOut => Err(Stop::LoggedOut { why: refused.detail.clone() }),
        Next::Tell | Next::GiveUp => {
            tracing::warn!(%conversation, code = code.as_str(), "the server refused a message for good");
            fail(step, message_id, &refused.detail)
        }
    }
}

fn retry(step: &mut Step<'_>, message: MessageId, at_least_ms: Option<u64>) -> Done {
    let attempts: Option<u32> = step
        .tx
        .prepare_cached("SELECT attempts FROM outbox WHERE message = ?1")?
        .query_row([message.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(attempts) = attempts else { return Ok(()) };
    let next_try_ms = step.retry_at(attempts, at_least_ms);
    step.tx
        .prepare_cached("UPDATE outbox SET attempts = ?2, next_try_ms = ?3 WHERE message = ?1")?
        .execute(params![message.as_bytes(), attempts.saturating_add(1), next_try_ms])?;
    Ok(())
}

/// The conversation is at another epoch. Usually the log says why; if this device has read all of it, it has lost its
/// place in the group.
fn stale(step: &mut Step<'_>, refused: &Refused) -> Done {
    let conversation = refused.conversation;
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    let head = refused.head.unwrap_or(row.cursor);
    if head > row.cursor {
        step.mem.logs.behind(conversation.into(), head);
        return Ok(());
    }
    match (refused.epoch, row.epoch) {
        (Some(theirs), Some(ours)) if theirs != ours => rejoin::want(step, conversation),
        // It has caught up meanwhile: the next try names the right epoch. Or somebody was gone before this device came in.
        _ => {
            if refused.code == Code::CommitFirst && !group::work::is_due(step, conversation)? {
                group::leave::ask_who(step, conversation)?;
            }
            retry(step, refused.message_id, refused.retry_after_ms)
        }
    }
}

/// It will never be sent.
fn fail(step: &mut Step<'_>, message: MessageId, why: &str) -> Done {
    step.mem.in_flight.appends.remove(&message);
    let row: Option<(ConversationId, Option<MessageId>)> = step
        .tx
        .prepare_cached("DELETE FROM outbox WHERE message = ?1 RETURNING conversation, target")?
        .query_row([message.as_bytes()], |row| {
            Ok((ConversationId::from_bytes(row.get(0)?), row.get::<_, Option<[u8; 16]>>(1)?.map(MessageId::from_bytes)))
        })
        .optional()?;
    match row {
        // What it would have changed shows as it was.
        Some((conversation, Some(target))) => {
            step.event(Event::MessageChanged { conversation, message: target });
            Ok(())
        }
        Some((_, None)) => message::fail(step, message, why),
        None => Ok(()),
    }
}

/// Nothing of this conversation will ever be sent.
pub(crate) fn fail_all(step: &mut Step<'_>, conversation: ConversationId, failure: &Failure) -> Done {
    let why = failure.to_client_error().to_string();
    let messages: Vec<MessageId> = step
        .tx
        .prepare_cached("SELECT message FROM outbox WHERE conversation = ?1 ORDER BY position")?
        .query_map([conversation.as_bytes()], |row| Ok(MessageId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    for message in messages {
        fail(step, message, &why)?;
    }
    Ok(())
}

/// Own messages without a place that wait for nothing: the server had them, and has lost them.
pub(crate) fn requeue_unplaced(step: &Step<'_>, conversation: ConversationId) -> Done {
    let said: Vec<(MessageId, Option<String>, Option<Vec<u8>>)> = step
        .tx
        .prepare_cached(
            "SELECT message, text, detail FROM message WHERE conversation = ?1 AND seq = ?2 AND own = 1
             AND kind IN (0, 6, 7, 8)
             AND state = 0 AND message NOT IN (SELECT message FROM outbox) ORDER BY local",
        )?
        .query_map(params![conversation.as_bytes(), UNSENT], |row| {
            Ok((MessageId::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (message, text, detail) in said {
        let content = match detail.map(|bytes| Content::decode(&bytes, message)) {
            Some(Ok(content)) => content,
            _ => Content::text(text.unwrap_or_default(), None),
        };
        queue(step, conversation, message, &content, None)?;
    }
    Ok(())
}

/// When the next one that waits is to be tried.
pub(crate) fn next_try_ms(step: &Step<'_>) -> Result<Option<u64>, Stop> {
    Ok(step
        .tx
        .prepare_cached("SELECT min(next_try_ms) FROM outbox WHERE next_try_ms > ?1")?
        .query_row([step.now_ms], |row| row.get(0))?)
}

/// One's own profile goes out once per conversation, before the first message.
pub(crate) fn queue_profile(step: &mut Step<'_>, row: &Row) -> Done {
    if row.profile_told {
        return Ok(());
    }
    let message = step.fresh_id();
    queue(step, row.conversation, message, &profile::content(step, row)?, None)?;
    conversation::set_profile_told(step.tx, row.conversation, true)
}
