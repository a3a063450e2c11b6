//! Messages that are kept for a while only, and how they go: by the core itself, at their time, whatever the server does.
//!
//! The lifetime is in the content and counts from the time in the message's entry, so all devices agree. The rows are
//! overwritten (`secure_delete`), and what the write-ahead log still has of them is too (`Db::scrub`). What changes such
//! a message lives no longer than it.

use super::{Kind, find};
use crate::error::ClientError;
use crate::event::Event;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::id::{ConversationId, MessageId};
use tidings_proto::limit::{TIMER_MAX_S, TIMER_MIN_S};

/// Until when something is kept that was said at `time_ms`.
pub(crate) fn at_ms(time_ms: u64, lifetime_s: Option<u64>) -> Option<u64> {
    lifetime_s.map(|seconds| time_ms.saturating_add(seconds * 1_000))
}

/// Removes what has had its time.
pub(crate) fn due(step: &mut Step<'_>) -> Done {
    let gone: Vec<(MessageId, ConversationId)> = step
        .tx
        .prepare_cached("DELETE FROM message WHERE expires_ms <= ?1 RETURNING message, conversation")?
        .query_map([step.now_ms], |row| {
            Ok((MessageId::from_bytes(row.get(0)?), ConversationId::from_bytes(row.get(1)?)))
        })?
        .collect::<Result<_, _>>()?;
    let orphans = step.tx.prepare_cached("DELETE FROM orphan WHERE expires_ms <= ?1")?.execute([step.now_ms])?;
    step.mem.scrub |= !gone.is_empty() || orphans > 0;
    for (message, conversation) in gone {
        drop_changes(step, message)?;
        step.event(Event::MessageRemoved { conversation, message });
        step.event(Event::ConversationChanged { conversation });
    }
    Ok(())
}

/// On this device only. An empty row stays, so that nothing about the message comes up again.
pub(crate) fn delete_for_me(step: &mut Step<'_>, message: MessageId) -> Result<Reply, Stop> {
    let found = find(step.tx, message)?.filter(|found| found.kind != Kind::Gone).ok_or(ClientError::NoSuchMessage)?;
    let waiting = step.tx.prepare_cached("SELECT 1 FROM outbox WHERE message = ?1")?.exists([message.as_bytes()])?;
    if waiting {
        let why = "the message is still on its way; delete it once it is sent";
        return Err(ClientError::NotAllowed { why: why.into() }.into());
    }
    let conversation = found.conversation;
    step.tx
        .prepare_cached(
            "UPDATE message SET kind = 5, text = NULL, detail = NULL, reply_to = NULL, edited = 0, counts = 0,
             failure = NULL WHERE message = ?1",
        )?
        .execute([message.as_bytes()])?;
    drop_changes(step, message)?;
    step.mem.scrub = true;
    step.event(Event::MessageRemoved { conversation, message });
    step.event(Event::ConversationChanged { conversation });
    Ok(Reply::Done)
}

/// Own changes of a message that is gone need not be sent; those on the way are settled as ever.
pub(super) fn drop_changes(step: &Step<'_>, target: MessageId) -> Done {
    let waiting: Vec<MessageId> = step
        .tx
        .prepare_cached("SELECT message FROM outbox WHERE target = ?1")?
        .query_map([target.as_bytes()], |row| Ok(MessageId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    for message in waiting.iter().filter(|message| !step.mem.in_flight.appends.contains_key(message)) {
        step.tx.prepare_cached("DELETE FROM outbox WHERE message = ?1")?.execute([message.as_bytes()])?;
    }
    Ok(())
}

/// When something goes next.
pub(crate) fn next_ms(tx: &Connection) -> Result<Option<u64>, Stop> {
    let mut next = None;
    for table in ["message", "orphan"] {
        let at_ms: Option<u64> = tx
            .prepare_cached(&format!("SELECT min(expires_ms) FROM {table} WHERE expires_ms IS NOT NULL"))?
            .query_row([], |row| row.get(0))?;
        next = next.into_iter().chain(at_ms).min();
    }
    Ok(next)
}

/// Of a row that is here already.
pub(crate) fn lifetime_s(tx: &Connection, message: MessageId) -> Result<Option<u64>, Stop> {
    Ok(tx
        .prepare_cached("SELECT lifetime_s FROM message WHERE message = ?1")?
        .query_row([message.as_bytes()], |row| row.get(0))
        .optional()?
        .flatten())
}

/// How long a change of this message may be kept: as long as the message itself, as far as the server lets one say so.
pub(crate) fn remaining_s(step: &Step<'_>, target: MessageId) -> Result<Option<u64>, Stop> {
    let row: Option<(Option<u64>, Option<u64>)> = step
        .tx
        .prepare_cached("SELECT lifetime_s, expires_ms FROM message WHERE message = ?1")?
        .query_row(params![target.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match row {
        Some((Some(_), Some(expires_ms))) => {
            Some(expires_ms.saturating_sub(step.now_ms).div_ceil(1_000).clamp(TIMER_MIN_S, TIMER_MAX_S))
        }
        Some((lifetime_s, _)) => lifetime_s,
        None => None,
    })
}
