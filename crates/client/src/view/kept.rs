//! Messages that somebody picked out: starred by oneself, pinned for everybody.

use super::message;
use crate::chat_state::Part;
use crate::message::pin;
use crate::reply::Reply;
use crate::step::{Step, Stop};
use rusqlite::params;
use tidings_proto::id::{ConversationId, MessageId};

/// Starred messages that are shown.
const STARRED_MAX: u32 = 500;

/// Starred last first.
pub(crate) fn starred(step: &Step<'_>, of: Option<ConversationId>) -> Result<Reply, Stop> {
    let messages: Vec<MessageId> = step
        .tx
        .prepare_cached(
            "SELECT message FROM chat_state WHERE part = ?1 AND value IS NOT NULL AND coalesce(conversation = ?2, 1)
             ORDER BY stamp_ms DESC, message DESC LIMIT ?3",
        )?
        .query_map(params![Part::Star as u8, of.as_ref().map(ConversationId::as_bytes), STARRED_MAX], |row| {
            Ok(MessageId::from_bytes(row.get(0)?))
        })?
        .collect::<Result<_, _>>()?;
    shown(step, &messages)
}

/// Pinned last first.
pub(crate) fn pinned(step: &Step<'_>, of: ConversationId) -> Result<Reply, Stop> {
    shown(step, &pin::of(step.tx, of)?)
}

/// A star may be known before its message.
fn shown(step: &Step<'_>, messages: &[MessageId]) -> Result<Reply, Stop> {
    let found: Result<Vec<_>, Stop> =
        messages.iter().filter_map(|message| message::one(step, *message).transpose()).collect();
    Ok(Reply::Messages(found?))
}
