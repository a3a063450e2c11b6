//! [`Conversation`]: the list, and how people are called in it.

use super::{Conversation, message};
use crate::contact;
use crate::step::{Step, Stop};
use rusqlite::{Connection, params};
use tidings_proto::id::{AccountId, ConversationId};

/// Most recently active first.
pub(crate) fn list(step: &Step<'_>) -> Result<Vec<Conversation>, Stop> {
    let rows: Vec<(ConversationId, AccountId)> = step
        .tx
        .prepare_cached(
            "SELECT conversation, account FROM conversation WHERE account IS NOT NULL
             ORDER BY active_ms DESC, conversation",
        )?
        .query_map([], |row| Ok((ConversationId::from_bytes(row.get(0)?), AccountId::from_bytes(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    rows.into_iter().map(|(conversation, account)| one(step, conversation, account)).collect()
}

fn one(step: &Step<'_>, conversation: ConversationId, account: AccountId) -> Result<Conversation, Stop> {
    let contact = contact::find(step.tx, account)?;
    Ok(Conversation {
        conversation,
        account,
        title: title(step.tx, account)?,
        phone: contact.as_ref().and_then(|contact| contact.phone.clone()),
        unread: unread(step.tx, conversation)?,
        last: message::last(step, conversation)?,
        blocked: contact.as_ref().is_some_and(|contact| contact.blocked),
        verified: contact.as_ref().is_some_and(|contact| contact.verified),
    })
}

/// A name from the profile, else the number, else the account id.
pub(super) fn title(tx: &Connection, account: AccountId) -> Result<String, Stop> {
    let contact = contact::find(tx, account)?;
    let known = contact.and_then(|contact| contact.name.or(contact.phone));
    Ok(known.unwrap_or_else(|| account.to_string()))
}

/// Counted messages of others above one's own read watermark.
fn unread(tx: &Connection, conversation: ConversationId) -> Result<u64, Stop> {
    Ok(tx
        .prepare_cached(
            "SELECT count(*) FROM message WHERE conversation = ?1 AND counts = 1 AND own = 0
             AND seq > (SELECT read FROM conversation WHERE conversation = ?1)",
        )?
        .query_row(params![conversation.as_bytes()], |row| row.get(0))?)
}

pub(super) fn unread_of_all(step: &Step<'_>) -> Result<u64, Stop> {
    Ok(step
        .tx
        .prepare_cached(
            "SELECT count(*) FROM conversation c JOIN message m ON m.conversation = c.conversation
             WHERE m.counts = 1 AND m.own = 0 AND m.seq > c.read",
        )?
        .query_row([], |row| row.get(0))?)
}
