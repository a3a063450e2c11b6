//! The rows of messages. * [`change`]: edits, deletions and reactions. * [`pin`]: pinned for everybody. * [`poll`]: votes.
//! * [`expiry`]: messages that disappear, and those that were deleted here only.

pub(crate) mod change;
pub(crate) mod expiry;
pub(crate) mod pin;
pub(crate) mod poll;
pub(crate) mod timer;

use crate::chat_state;
use crate::content::{self, Content, ContentDigest, Target};
use crate::conversation;
use crate::db::schema::UNSENT;
use crate::event::Event;
use crate::group::notice::At;
use crate::step::{Done, Step, Stop};
use crate::view::Notice;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::entry::{Entry, Sender};
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// `message.kind`. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Text = 0,
    Deleted = 1,
    Unreadable = 2,
    Notice = 3,
    Unknown = 4,
    /// Deleted here, for oneself: an empty row, so that nothing about it comes up again.
    Gone = 5,
    Poll = 6,
    Location = 7,
    Contact = 8,
}

impl Kind {
    pub fn from_u8(kind: u8) -> Self {
        match kind {
            0 => Self::Text,
            1 => Self::Deleted,
            2 => Self::Unreadable,
            3 => Self::Notice,
            5 => Self::Gone,
            6 => Self::Poll,
            7 => Self::Location,
            8 => Self::Contact,
            _ => Self::Unknown,
        }
    }

    /// Whether nothing can be said about it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Deleted | Self::Notice | Self::Gone)
    }

    /// Whether somebody said it, and it is still there.
    pub fn is_said(self) -> bool {
        matches!(self, Self::Text | Self::Unknown | Self::Poll | Self::Location | Self::Contact)
    }
}

/// How a content is kept: its kind, and the words in it.
pub(crate) fn shown(content: &Content) -> Option<(Kind, Option<&str>)> {
    match content {
        Content::Text { text, .. } => Some((Kind::Text, Some(text))),
        Content::Poll(poll) => Some((Kind::Poll, Some(&poll.question))),
        Content::Location { name, .. } => Some((Kind::Location, name.as_deref())),
        Content::Contact { name, .. } => Some((Kind::Contact, Some(name))),
        Content::Unknown => Some((Kind::Unknown, None)),
        _ => None,
    }
}

/// `message.text` of a notice: JSON.
fn notice_text(notice: &Notice) -> String {
    serde_json::to_string(notice).expect("our types always serialize")
}

/// A row to be.
pub(crate) struct New<'a> {
    pub message: MessageId,
    pub conversation: ConversationId,
    /// `None` until the server gave it one.
    pub seq: Option<u64>,
    pub sender: Sender,
    pub time_ms: u64,
    pub kind: Kind,
    pub text: Option<&'a str>,
    pub reply_to: Option<MessageId>,
    pub digest: Option<ContentDigest>,
    pub counts: bool,
    /// How long it may be kept.
    pub lifetime_s: Option<u64>,
    /// The content, of what is more than a text.
    pub detail: Option<&'a [u8]>,
}

/// Adds a row; false if the id is taken.
pub(crate) fn insert(step: &mut Step<'_>, new: &New<'_>) -> Result<bool, Stop> {
    let own = step.me()?.sender.account == new.sender.account && new.kind != Kind::Notice;
    let inserted = step
        .tx
        .prepare_cached(
            "INSERT INTO message (message, conversation, seq, account, device, own, time_ms, kind, text, reply_to,
                 digest, counts, detail, lifetime_s, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT (message) DO NOTHING",
        )?
        .execute(params![
            new.message.as_bytes(),
            new.conversation.as_bytes(),
            new.seq.map_or(Ok(UNSENT), i64::try_from).map_err(|_| Stop::Fault("a seq beyond all bounds".into()))?,
            new.sender.account.as_bytes(),
            new.sender.device.as_bytes(),
            own,
            new.time_ms,
            new.kind as u8,
            new.text,
            new.reply_to.as_ref().map(MessageId::as_bytes),
            new.digest,
            new.counts,
            new.detail,
            new.lifetime_s,
            new.seq.and_then(|_| expiry::at_ms(new.time_ms, new.lifetime_s)),
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    conversation::set_active(step.tx, new.conversation, new.time_ms)?;
    if new.counts {
        chat_state::came(step, new.conversation, new.seq)?;
    }
    step.event(Event::MessageAdded { conversation: new.conversation, message: new.message, own });
    step.event(Event::ConversationChanged { conversation: new.conversation });
    Ok(true)
}

/// What others need to know of a row.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub conversation: ConversationId,
    pub seq: Option<u64>,
    pub account: AccountId,
    pub own: bool,
    pub kind: Kind,
    pub digest: Option<ContentDigest>,
    /// Seq of the newest edit.
    pub edited: u64,
}

pub(crate) fn find(tx: &Connection, message: MessageId) -> rusqlite::Result<Option<Found>> {
    tx.prepare_cached("SELECT conversation, seq, account, own, kind, digest, edited FROM message WHERE message = ?1")?
        .query_row([message.as_bytes()], |row| {
            Ok(Found {
                conversation: ConversationId::from_bytes(row.get(0)?),
                seq: Some(row.get::<_, i64>(1)?).filter(|seq| *seq != UNSENT).map(|seq| seq.cast_unsigned()),
                account: AccountId::from_bytes(row.get(2)?),
                own: row.get(3)?,
                kind: Kind::from_u8(row.get(4)?),
                digest: row.get(5)?,
                edited: row.get(6)?,
            })
        })
        .optional()
}

/// The server gave an own message its place.
/// Whether this device shows anything in a conversation.
pub(crate) fn any(tx: &Connection, conversation: ConversationId) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE conversation = ?1)")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
}

pub(crate) fn set_seq(step: &mut Step<'_>, message: MessageId, seq: u64, time_ms: u64) -> Done {
    let Some(found) = find(step.tx, message)? else { return Ok(()) };
    if found.seq == Some(seq) {
        return Ok(());
    }
    step.tx
        .prepare_cached(
            "UPDATE message SET seq = ?2, time_ms = ?3, state = 0, failure = NULL, expires_ms = ?3 + lifetime_s * 1000
             WHERE message = ?1",
        )?
        .execute(params![message.as_bytes(), seq, time_ms])?;
    conversation::set_active(step.tx, found.conversation, time_ms)?;
    step.event(Event::MessageChanged { conversation: found.conversation, message });
    step.event(Event::ConversationChanged { conversation: found.conversation });
    Ok(())
}

/// It will never be sent.
pub(crate) fn fail(step: &mut Step<'_>, message: MessageId, why: &str) -> Done {
    let Some(found) = find(step.tx, message)? else { return Ok(()) };
    step.tx
        .prepare_cached(
            "UPDATE message SET state = 1, failure = ?2, expires_ms = ?3 + lifetime_s * 1000 WHERE message = ?1",
        )?
        .execute(params![message.as_bytes(), why, step.now_ms])?;
    step.event(Event::MessageChanged { conversation: found.conversation, message });
    step.event(Event::ConversationChanged { conversation: found.conversation });
    Ok(())
}

/// What somebody said, in the entry at hand.
pub(crate) fn receive(step: &mut Step<'_>, entry: &Entry, content: &Content, bytes: &[u8]) -> Done {
    let conversation = entry.log.as_conversation();
    let lifetime_s = content::lifetime_s(bytes);
    let expires_ms = expiry::at_ms(entry.time_ms, lifetime_s);
    let Some((kind, text)) = shown(content) else {
        let at = At { conversation, seq: entry.seq, time_ms: entry.time_ms };
        return change::apply(step, at, entry.sender.account, entry.message_id, content, expires_ms);
    };
    let reply_to = match content {
        Content::Text { reply_to, .. } => *reply_to,
        _ => None,
    };
    timer::seen(step, conversation, lifetime_s)?;
    if expires_ms.is_some_and(|expires_ms| expires_ms <= step.now_ms) {
        return Ok(());
    }
    let new = New {
        message: entry.message_id,
        conversation,
        seq: Some(entry.seq),
        sender: entry.sender,
        time_ms: entry.time_ms,
        kind,
        text,
        reply_to: quotable(step.tx, conversation, reply_to)?,
        digest: Some(content::digest(conversation, entry.sender.account, entry.message_id, bytes)),
        counts: entry.counts(),
        detail: Some(bytes).filter(|_| !content.is_plain()),
        lifetime_s,
    };
    // A log is read again from where a welcome lets this device in: what it could not read there, it can read now.
    step.tx
        .prepare_cached("DELETE FROM message WHERE message = ?1 AND conversation = ?2 AND seq = ?3 AND kind = ?4")?
        .execute(params![entry.message_id.as_bytes(), conversation.as_bytes(), entry.seq, Kind::Unreadable as u8])?;
    if insert(step, &new)? {
        change::adopt_orphans(step, conversation, entry.message_id)
    } else if is_here(step.tx, entry)? {
        Ok(())
    } else {
        unreadable(step, entry, "its id belongs to another message")
    }
}

/// Whether this very entry has its message already.
fn is_here(tx: &Connection, entry: &Entry) -> rusqlite::Result<bool> {
    let conversation = entry.log.as_conversation();
    tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM message WHERE message = ?1 AND conversation = ?2 AND seq = ?3)")?
        .query_row(params![entry.message_id.as_bytes(), conversation.as_bytes(), entry.seq], |row| row.get(0))
}

/// Something is in the log that this device cannot read. What changes other messages leaves no trace.
pub(crate) fn unreadable(step: &mut Step<'_>, entry: &Entry, why: &str) -> Done {
    if !entry.counts() {
        return Ok(());
    }
    if is_here(step.tx, entry)? {
        return Ok(());
    }
    let taken = find(step.tx, entry.message_id)?.is_some();
    let message = if taken { step.fresh_id() } else { entry.message_id };
    insert(
        step,
        &New {
            message,
            conversation: entry.log.as_conversation(),
            seq: Some(entry.seq),
            sender: entry.sender,
            time_ms: entry.time_ms,
            kind: Kind::Unreadable,
            text: Some(why),
            reply_to: None,
            digest: None,
            counts: true,
            detail: None,
            lifetime_s: None,
        },
    )?;
    Ok(())
}

/// The core itself has something to say, at this place of the conversation.
pub(crate) fn notice(
    step: &mut Step<'_>,
    conversation: ConversationId,
    about: AccountId,
    seq: u64,
    time_ms: u64,
    notice: &Notice,
) -> Done {
    let message = step.fresh_id();
    let sender = Sender { account: about, device: step.me()?.sender.device };
    insert(
        step,
        &New {
            message,
            conversation,
            seq: Some(seq),
            sender,
            time_ms,
            kind: Kind::Notice,
            text: Some(&notice_text(notice)),
            reply_to: None,
            digest: None,
            counts: false,
            detail: None,
            lifetime_s: None,
        },
    )?;
    Ok(())
}

/// Whether it was said here about this person already.
pub(crate) fn has_notice(
    tx: &Connection,
    conversation: ConversationId,
    about: AccountId,
    notice: &Notice,
) -> rusqlite::Result<bool> {
    tx.prepare_cached("SELECT 1 FROM message WHERE conversation = ?1 AND kind = ?2 AND account = ?3 AND text = ?4")?
        .exists(params![conversation.as_bytes(), Kind::Notice as u8, about.as_bytes(), notice_text(notice)])
}

/// A reply is shown as one if it names what is here under that id, or something that is not here.
fn quotable(tx: &Connection, conversation: ConversationId, target: Option<Target>) -> Result<Option<MessageId>, Stop> {
    let Some(target) = target else { return Ok(None) };
    Ok(match find(tx, target.message)? {
        Some(found) if found.conversation != conversation => None,
        Some(found) if found.digest.is_some_and(|digest| digest != target.digest) => None,
        _ => Some(target.message),
    })
}

/// The server has forgotten what stands above `head`: what this device said there waits again.
pub(crate) fn unplace_above(step: &Step<'_>, conversation: ConversationId, head: u64) -> Done {
    let device = step.me()?.sender.device;
    step.tx
        .prepare_cached(
            "UPDATE message SET seq = ?3, expires_ms = NULL
             WHERE conversation = ?1 AND seq > ?2 AND device = ?4 AND kind IN (0, 6, 7, 8)",
        )?
        .execute(params![conversation.as_bytes(), head, UNSENT, device.as_bytes()])?;
    Ok(())
}
