//! Messages that are pinned for everybody in their chat. As with all changes the log's order decides, so every device
//! shows the same few: where one more is pinned, the one that was pinned first comes off.

use super::{Found, Kind};
use crate::group::member;
use crate::step::{Step, Stop};
use rusqlite::{Connection, params};
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// Pinned messages of one conversation.
const PINS_MAX: u32 = 3;

pub(crate) fn can_be(kind: Kind) -> bool {
    kind.is_said()
}

/// In a group those who may edit it.
pub(crate) fn may(tx: &Connection, conversation: ConversationId, who: AccountId) -> Result<bool, Stop> {
    Ok(member::rules(tx, conversation)?.is_none_or(|rules| rules.allows(rules.editing, who)))
}

/// The entry at `seq` pins it, or takes it off; false if that changes nothing.
pub(super) fn set(
    step: &Step<'_>,
    message: MessageId,
    found: &Found,
    author: AccountId,
    on: bool,
    seq: u64,
) -> Result<bool, Stop> {
    let conversation = found.conversation;
    if !can_be(found.kind) {
        return Ok(false);
    }
    if !may(step.tx, conversation, author)? {
        tracing::info!(%conversation, seq, "somebody who may not pins a message");
        return Ok(false);
    }
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO pin (conversation, message, pinned, seq) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (conversation, message) DO UPDATE SET pinned = excluded.pinned, seq = excluded.seq
             WHERE excluded.seq > seq",
        )?
        .execute(params![conversation.as_bytes(), message.as_bytes(), on, seq])?;
    step.tx
        .prepare_cached(
            "UPDATE pin SET pinned = 0 WHERE conversation = ?1 AND pinned = 1 AND seq <= (
                 SELECT seq FROM pin WHERE conversation = ?1 AND pinned = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![conversation.as_bytes(), PINS_MAX])?;
    Ok(changed > 0)
}

/// Pinned last first.
pub(crate) fn of(tx: &Connection, conversation: ConversationId) -> rusqlite::Result<Vec<MessageId>> {
    tx.prepare_cached("SELECT message FROM pin WHERE conversation = ?1 AND pinned = 1 ORDER BY seq DESC")?
        .query_map([conversation.as_bytes()], |row| Ok(MessageId::from_bytes(row.get(0)?)))?
        .collect()
}

pub(crate) fn is_pinned(tx: &Connection, conversation: ConversationId, message: MessageId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM pin WHERE conversation = ?1 AND message = ?2 AND pinned = 1")?
        .exists([conversation.as_bytes(), message.as_bytes()])
}
