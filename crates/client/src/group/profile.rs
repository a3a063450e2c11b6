//! How a group presents itself.

use crate::step::Stop;
use rusqlite::{Connection, OptionalExtension};
use tidings_proto::id::ConversationId;

pub(crate) fn name(tx: &Connection, conversation: ConversationId) -> Result<Option<String>, Stop> {
    let name: Option<Option<String>> = tx
        .prepare_cached("SELECT name FROM group_profile WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(name.flatten())
}
