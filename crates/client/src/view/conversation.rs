//! [`Conversation`]: the list, and how people are called in it.

use super::{Conversation, message};
use crate::address_book;
use crate::chat_state::{self, Part};
use crate::contact;
use crate::conversation::{self, Row, Standing};
use crate::group;
use crate::message::{pin, timer};
use crate::presence;
use crate::profile;
use crate::step::{Step, Stop};
use rusqlite::{Connection, params};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{AccountId, ConversationId};

const SELF_CHAT_TITLE: &str = "Notes to yourself";
/// Of a group whose profile did not come yet.
const GROUP_TITLE: &str = "Group";

/// Pinned first, then most recently active first. A group that this device is not in yet is shown for its history, which a
/// backup brought.
pub(crate) fn list(step: &Step<'_>) -> Result<Vec<Conversation>, Stop> {
    let rows: Vec<ConversationId> = step
        .tx
        .prepare_cached(
            "SELECT c.conversation FROM conversation c
             LEFT JOIN chat_state p ON p.conversation = c.conversation AND p.part = ?1 AND p.message = x''
             WHERE c.account IS NOT NULL OR (c.kind = 1 AND (c.joined = 1
                 OR EXISTS (SELECT 1 FROM message m WHERE m.conversation = c.conversation)))
             ORDER BY p.value IS NULL, p.value DESC, c.active_ms DESC, c.conversation",
        )?
        .query_map([Part::Pin as u8], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    let mut conversations = Vec::with_capacity(rows.len());
    for conversation in rows {
        if let Some(row) = conversation::find(step.tx, conversation)? {
            conversations.push(one(step, &row)?);
        }
    }
    Ok(conversations)
}

fn one(step: &Step<'_>, row: &Row) -> Result<Conversation, Stop> {
    let conversation = row.conversation;
    let account = row.account.filter(|_| row.kind == ConversationKind::Direct);
    let contact = match account {
        Some(account) => contact::find(step.tx, account)?,
        None => None,
    };
    let kept = chat_state::of(step, conversation)?;
    Ok(Conversation {
        conversation,
        kind: row.kind,
        account,
        title: match (row.kind, row.account) {
            (ConversationKind::SelfChat, _) => SELF_CHAT_TITLE.into(),
            (_, Some(account)) => title(step.tx, account)?,
            (_, None) => group::profile::name(step.tx, conversation)?.unwrap_or_else(|| GROUP_TITLE.into()),
        },
        member: row.standing == Standing::Member,
        phone: contact.as_ref().and_then(|contact| contact.phone.clone()),
        unread: unread(step.tx, conversation)?,
        last: message::last(step, conversation)?,
        blocked: contact.as_ref().is_some_and(|contact| contact.blocked),
        verified: contact.as_ref().is_some_and(|contact| contact.verified),
        presence: account.and_then(|account| presence::of(step.mem, account)),
        pinned: kept.pinned,
        archived: kept.archived,
        muted_until_ms: kept.muted_until_ms,
        marked_unread: kept.unread,
        draft: kept.draft,
        pins: pin::of(step.tx, conversation)?,
        timer_s: timer::current(step.tx, conversation)?,
        picture: match account {
            Some(account) => profile::find(step.tx, account)?.picture,
            None => group::profile::find(step.tx, conversation)?.and_then(|profile| profile.picture),
        }
        .as_ref()
        .map(profile::picture_id),
        about: contact.and_then(|contact| contact.about),
    })
}

/// A name from one's address book, else from the profile, else the number, else the account id.
pub(super) fn title(tx: &Connection, account: AccountId) -> Result<String, Stop> {
    let contact = contact::find(tx, account)?;
    if let Some(phone) = contact.as_ref().and_then(|contact| contact.phone.as_deref())
        && let Some(name) = address_book::name_of_phone(tx, phone)?
    {
        return Ok(name);
    }
    let known = contact.and_then(|contact| contact.name.filter(|name| !name.is_empty()).or(contact.phone));
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

/// Of all conversations that are not archived, and how many of them are in muted ones.
pub(super) fn unread_of_all(step: &Step<'_>) -> Result<(u64, u64), Stop> {
    Ok(step
        .tx
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE coalesce(mute.value, 0) > ?3)
             FROM conversation c JOIN message m ON m.conversation = c.conversation
             LEFT JOIN chat_state mute ON mute.conversation = c.conversation AND mute.part = ?1 AND mute.message = x''
             LEFT JOIN chat_state away ON away.conversation = c.conversation AND away.part = ?2 AND away.message = x''
             WHERE m.counts = 1 AND m.own = 0 AND m.seq > c.read AND away.value IS NULL",
        )?
        .query_row(params![Part::Mute as u8, Part::Archive as u8, step.now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?)
}
