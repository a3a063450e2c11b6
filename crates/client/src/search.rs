//! Full-text search in what this device has; the server could not search, for it cannot read. The index is a table of
//! SQLite's FTS5 in the same encrypted database, in the browser too. Triggers keep it in step with messages in the same
//! transaction: what is edited is found as it reads now, what is deleted or has disappeared is not found any more, and
//! its words are taken out of the index on the disk. A poll is found by its answers too. What words are: db/words.rs.

use crate::db::words;
use crate::error::ClientError;
use crate::reply::Reply;
use crate::step::{Step, Stop};
use crate::view::{self, Body};
use rusqlite::{OptionalExtension, params};
use tidings_proto::id::{ConversationId, MessageId};

/// Messages in one answer.
const FOUND_MAX: u32 = 200;
/// Longer is no search.
const TEXT_MAX_BYTES: usize = 1024;

/// Ascending by time; the newest `limit` before `before`, or of all.
pub(crate) fn search(
    step: &Step<'_>,
    text: &str,
    of: Option<ConversationId>,
    before: Option<MessageId>,
    limit: u32,
) -> Result<Reply, Stop> {
    if text.len() > TEXT_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: text.len(), max: TEXT_MAX_BYTES }.into());
    }
    let Some(query) = words::query(text) else { return Ok(Reply::Messages(Vec::new())) };
    let (time_ms, local) = match before {
        Some(message) => place(step, message)?,
        None => (i64::MAX, i64::MAX),
    };
    let mut found: Vec<MessageId> = step
        .tx
        .prepare_cached(
            "SELECT m.message FROM search JOIN message m ON m.local = search.rowid
             WHERE search MATCH ?1 AND coalesce(m.conversation = ?2, 1) AND (m.time_ms, m.local) < (?3, ?4)
             ORDER BY m.time_ms DESC, m.local DESC LIMIT ?5",
        )?
        .query_map(
            params![query, of.as_ref().map(ConversationId::as_bytes), time_ms, local, limit.min(FOUND_MAX)],
            |row| Ok(MessageId::from_bytes(row.get(0)?)),
        )?
        .collect::<Result<_, _>>()?;
    found.reverse();
    let mut messages = Vec::with_capacity(found.len());
    for message in found {
        // One's own deletion may wait to be sent.
        messages.extend(view::message::one(step, message)?.filter(|message| message.body != Body::Deleted));
    }
    Ok(Reply::Messages(messages))
}

fn place(step: &Step<'_>, message: MessageId) -> Result<(i64, i64), Stop> {
    let place = step
        .tx
        .prepare_cached("SELECT time_ms, local FROM message WHERE message = ?1")?
        .query_row([message.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    place.ok_or(ClientError::NoSuchMessage.into())
}
