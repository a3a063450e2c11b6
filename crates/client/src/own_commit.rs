//! The own commit of a conversation whose fate is not known: sent unchanged until the log tells. At most one each.

use crate::step::{Done, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::codec;
use tidings_proto::frame::Commit;
use tidings_proto::id::ConversationId;

pub(crate) fn put(tx: &Connection, commit: &Commit) -> Done {
    tx.prepare_cached("INSERT OR REPLACE INTO own_commit (conversation, message, frame) VALUES (?1, ?2, ?3)")?
        .execute(params![
            commit.conversation.as_bytes(),
            commit.message_id.as_bytes(),
            codec::to_cbor(commit).as_ref()
        ])?;
    Ok(())
}

pub(crate) fn find(tx: &Connection, conversation: ConversationId) -> Result<Option<Commit>, Stop> {
    let frame: Option<Vec<u8>> = tx
        .prepare_cached("SELECT frame FROM own_commit WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    frame
        .map(|frame| codec::from_cbor(&frame).map_err(|error| Stop::Fault(format!("a stored commit: {error}"))))
        .transpose()
}

pub(crate) fn all(tx: &Connection) -> rusqlite::Result<Vec<ConversationId>> {
    tx.prepare_cached("SELECT conversation FROM own_commit")?
        .query_map([], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
        .collect()
}

pub(crate) fn delete(tx: &Connection, conversation: ConversationId) -> Done {
    tx.prepare_cached("DELETE FROM own_commit WHERE conversation = ?1")?.execute([conversation.as_bytes()])?;
    Ok(())
}
