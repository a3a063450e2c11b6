//! [`Message`]: what is in the database, with one's own changes that still wait in the outbox laid over it.

use super::conversation::title;
use super::detail::{self, Detail};
use super::notice;
use super::{Body, Message, Position, Quote, Reaction, Tick};
use crate::chat_state;
use crate::content::Content;
use crate::db::schema::UNSENT;
use crate::error::ClientError;
use crate::message::{Kind, pin};
use crate::receipt;
use crate::step::{Step, Stop};
use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// Messages in one page.
const PAGE_MAX: u32 = 500;
/// Characters of a quoted text.
const QUOTE_MAX_CHARS: usize = 200;

const COLUMNS: &str = "message, conversation, seq, local, account, own, time_ms, kind, text, reply_to, edited, state, failure, \
     detail, deleted_by, expires_ms";

/// As it stands in the database.
struct Stored {
    message: MessageId,
    conversation: ConversationId,
    seq: i64,
    local: u64,
    account: AccountId,
    own: bool,
    time_ms: u64,
    kind: Kind,
    text: Option<String>,
    reply_to: Option<MessageId>,
    edited: bool,
    failed: bool,
    failure: Option<String>,
    detail: Option<Vec<u8>>,
    deleted_by: Option<AccountId>,
    expires_ms: Option<u64>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        message: MessageId::from_bytes(row.get(0)?),
        conversation: ConversationId::from_bytes(row.get(1)?),
        seq: row.get(2)?,
        local: row.get(3)?,
        account: AccountId::from_bytes(row.get(4)?),
        own: row.get(5)?,
        time_ms: row.get(6)?,
        kind: Kind::from_u8(row.get(7)?),
        text: row.get(8)?,
        reply_to: row.get::<_, Option<[u8; 16]>>(9)?.map(MessageId::from_bytes),
        edited: row.get::<_, u64>(10)? > 0,
        failed: row.get(11)?,
        failure: row.get(12)?,
        detail: row.get(13)?,
        deleted_by: row.get::<_, Option<[u8; 16]>>(14)?.map(AccountId::from_bytes),
        expires_ms: row.get(15)?,
    })
}

pub(crate) fn one(step: &Step<'_>, message: MessageId) -> Result<Option<Message>, Stop> {
    let stored = step
        .tx
        .prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE message = ?1 AND kind <> 5"))?
        .query_row([message.as_bytes()], read)
        .optional()?;
    stored.map(|stored| show(step, stored)).transpose()
}

pub(super) fn last(step: &Step<'_>, conversation: ConversationId) -> Result<Option<Message>, Stop> {
    Ok(page(step, conversation, None, 1)?.pop())
}

/// Ascending; the newest `limit` before `before`, or of all.
pub(crate) fn page(
    step: &Step<'_>,
    conversation: ConversationId,
    before: Option<Position>,
    limit: u32,
) -> Result<Vec<Message>, Stop> {
    let (seq, local) = match before {
        Some(before) => (i64::try_from(before.seq).unwrap_or(UNSENT), i64::try_from(before.local).unwrap_or(i64::MAX)),
        None => (UNSENT, i64::MAX),
    };
    let mut stored: Vec<Stored> = step
        .tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message WHERE conversation = ?1 AND (seq, local) < (?2, ?3) AND kind <> 5
             ORDER BY seq DESC, local DESC LIMIT ?4"
        ))?
        .query_map(params![conversation.as_bytes(), seq, local, limit.min(PAGE_MAX)], read)?
        .collect::<Result<_, _>>()?;
    stored.reverse();
    stored.into_iter().map(|stored| show(step, stored)).collect()
}

/// Ascending; what follows.
pub(crate) fn after(
    step: &Step<'_>,
    conversation: ConversationId,
    after: Position,
    limit: u32,
) -> Result<Vec<Message>, Stop> {
    let stored: Vec<Stored> = step
        .tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message WHERE conversation = ?1 AND (seq, local) > (?2, ?3) AND kind <> 5
             ORDER BY seq, local LIMIT ?4"
        ))?
        .query_map(
            params![
                conversation.as_bytes(),
                i64::try_from(after.seq).unwrap_or(UNSENT),
                i64::try_from(after.local).unwrap_or(i64::MAX),
                limit.min(PAGE_MAX)
            ],
            read,
        )?
        .collect::<Result<_, _>>()?;
    stored.into_iter().map(|stored| show(step, stored)).collect()
}

/// Ascending; the message with what stands before and after it.
pub(crate) fn around(step: &Step<'_>, message: MessageId, limit: u32) -> Result<Vec<Message>, Stop> {
    let middle = one(step, message)?.ok_or(ClientError::NoSuchMessage)?;
    let (conversation, position) = (middle.conversation, middle.position);
    let later = after(step, conversation, position, limit.min(PAGE_MAX) / 2)?;
    let room = limit.min(PAGE_MAX).saturating_sub(later.len() as u32 + 1);
    let mut messages = page(step, conversation, Some(position), room)?;
    messages.push(middle);
    messages.extend(later);
    Ok(messages)
}

fn show(step: &Step<'_>, stored: Stored) -> Result<Message, Stop> {
    let mut reactions = reactions(step, &stored)?;
    let mut body = body(step.tx, &stored)?;
    let mut edited = stored.edited;
    let mut pinned = pin::is_pinned(step.tx, stored.conversation, stored.message)?;
    overlay(step, &stored, &mut body, &mut edited, &mut reactions, &mut pinned)?;
    let deleted = body == Body::Deleted;
    let detail = match stored.detail.as_deref().filter(|_| !deleted) {
        Some(bytes) => detail::read(step, stored.message, bytes, edited)?,
        None => Detail::default(),
    };
    let deleted_by = match stored.deleted_by.filter(|by| deleted && *by != stored.account) {
        Some(by) => Some(notice::person(step.tx, by)?),
        None => None,
    };
    Ok(Message {
        message: stored.message,
        conversation: stored.conversation,
        position: Position {
            seq: if stored.seq == UNSENT { u64::MAX } else { stored.seq.cast_unsigned() },
            local: stored.local,
        },
        sender: stored.account,
        sender_title: title(step.tx, stored.account)?,
        own: stored.own,
        time_ms: stored.time_ms,
        reply_to: match stored.reply_to.filter(|_| !deleted) {
            Some(message) => quote(step, stored.conversation, message)?,
            None => None,
        },
        reactions: if deleted { Vec::new() } else { reactions },
        edited: edited && !deleted,
        tick: tick(step, &stored)?,
        failure: stored.failure,
        starred: !deleted && chat_state::is_starred(step.tx, stored.conversation, stored.message)?,
        pinned: pinned && !deleted,
        forwarded: detail.forwarded,
        mentions: detail.mentions,
        mentions_me: detail.mentions_me,
        preview: detail.preview,
        deleted_by,
        expires_ms: stored.expires_ms,
        body: detail.body.unwrap_or(body),
    })
}

fn body(tx: &Connection, stored: &Stored) -> Result<Body, Stop> {
    let text = stored.text.clone().unwrap_or_default();
    Ok(match stored.kind {
        Kind::Text => Body::Text { text },
        Kind::Deleted => Body::Deleted,
        Kind::Unreadable => Body::Unreadable { why: text },
        // Their detail says it.
        Kind::Unknown | Kind::Gone | Kind::Poll | Kind::Location | Kind::Contact => Body::Unknown,
        Kind::Notice => notice::read(tx, &text)?.map_or(Body::Unknown, |notice| Body::Notice { notice }),
    })
}

fn reactions(step: &Step<'_>, stored: &Stored) -> Result<Vec<Reaction>, Stop> {
    Ok(step
        .tx
        .prepare_cached(
            "SELECT account, emoji FROM reaction WHERE conversation = ?1 AND message = ?2 AND emoji <> '' ORDER BY seq",
        )?
        .query_map([stored.conversation.as_bytes(), stored.message.as_bytes()], |row| {
            Ok(Reaction { account: AccountId::from_bytes(row.get(0)?), emoji: row.get(1)? })
        })?
        .collect::<Result<_, _>>()?)
}

/// One's own changes that are not in the log yet.
fn overlay(
    step: &Step<'_>,
    stored: &Stored,
    body: &mut Body,
    edited: &mut bool,
    reactions: &mut Vec<Reaction>,
    pinned: &mut bool,
) -> Result<(), Stop> {
    let waiting: Vec<(MessageId, Vec<u8>)> = step
        .tx
        .prepare_cached("SELECT message, content FROM outbox WHERE target = ?1 ORDER BY position")?
        .query_map([stored.message.as_bytes()], |row| Ok((MessageId::from_bytes(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (message, content) in waiting {
        match Content::decode(&content, message) {
            Ok(Content::Edit { text, .. }) if stored.kind == Kind::Text => {
                *body = Body::Text { text };
                *edited = true;
            }
            Ok(Content::Delete { .. }) => *body = Body::Deleted,
            Ok(Content::Pin { on, .. }) => *pinned = on,
            Ok(Content::Reaction { emoji, .. }) => {
                let account = step.me()?.sender.account;
                reactions.retain(|reaction| reaction.account != account);
                reactions.extend(emoji.map(|emoji| Reaction { account, emoji }));
            }
            _ => {}
        }
    }
    Ok(())
}

fn quote(step: &Step<'_>, conversation: ConversationId, message: MessageId) -> Result<Option<Quote>, Stop> {
    let quoted = step
        .tx
        .prepare_cached("SELECT account, kind, text FROM message WHERE message = ?1 AND conversation = ?2")?
        .query_row([message.as_bytes(), conversation.as_bytes()], |row| {
            let text: Option<String> = row.get(2)?;
            Ok(Quote {
                message,
                sender: AccountId::from_bytes(row.get(0)?),
                text: text
                    .filter(|_| row.get(1).is_ok_and(|kind| Kind::from_u8(kind).is_said()))
                    .map(|text| begin(&text)),
            })
        })
        .optional()?;
    Ok(quoted)
}

fn begin(text: &str) -> String {
    text.chars().take(QUOTE_MAX_CHARS).collect()
}

fn tick(step: &Step<'_>, stored: &Stored) -> Result<Option<Tick>, Stop> {
    if !stored.own {
        return Ok(None);
    }
    if stored.failed {
        return Ok(Some(Tick::Failed));
    }
    if stored.seq == UNSENT {
        return Ok(Some(Tick::Clock));
    }
    let seq = stored.seq.cast_unsigned();
    let (delivered, read) = receipt::lowest(step.tx, stored.conversation, step.me()?.sender.account, seq)?;
    Ok(Some(if read >= seq {
        Tick::Read
    } else if delivered >= seq {
        Tick::Delivered
    } else {
        Tick::Sent
    }))
}
