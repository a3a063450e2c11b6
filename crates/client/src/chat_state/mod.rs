//! What one keeps about chats and messages for oneself: stars, mutes, archived and pinned conversations, "unread", drafts.
//! Nobody else is told, neither people nor the server. * [`command`]: what a person does.
//!
//! Each is a [`Setting`] with a [`Stamp`], kept in the table `chat_state`: of two about the same thing the later one
//! counts, whatever the order in which they come ([`apply`]). * [`sync`]: told to one's other devices.
//!
//! **Several devices.** A change that is made here goes through [`set`], and nowhere else. That is the place from which
//! it travels to one's other devices ([`sync`]); they hand it to [`apply`]. An archive holds the rows, and merges them by
//! their stamps too. What
//! follows from a message by itself (an archived conversation comes back, [`came`]) is not told: each device sees it.

pub(crate) mod command;
pub(crate) mod sync;

use crate::event::Event;
use crate::step::{Done, Step, Stop};
use crate::view::FOR_EVER_MS;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use tidings_proto::http::Audience;
use tidings_proto::id::{ConversationId, DeviceId, MessageId};

/// More than a message may have: who wrote too much is told, and shortens it later.
pub(crate) const DRAFT_MAX_BYTES: usize = 128 * 1024;

/// The serialized names are for ever: they are in messages and archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Setting {
    Star {
        message: MessageId,
        on: bool,
    },
    Mute {
        until_ms: Option<u64>,
    },
    /// Archived when everything up to this seq was known; a message above it brings the conversation back.
    Archive {
        known: Option<u64>,
    },
    /// When it was pinned: the order at the top of the list.
    Pin {
        at_ms: Option<u64>,
    },
    Unread {
        on: bool,
    },
    Draft {
        text: String,
    },
    /// Of the self chat: who gets to see a part of one's profile.
    Show {
        what: Shown,
        to: Audience,
    },
}

/// A part of one's profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shown {
    Picture,
    About,
}

/// `chat_state.part`. The numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Part {
    Star = 0,
    Mute = 1,
    Archive = 2,
    Pin = 3,
    Unread = 4,
    Draft = 5,
    ShowPicture = 6,
    ShowAbout = 7,
}

/// When and on which device something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub ms: u64,
    pub device: DeviceId,
}

/// A conversation's own state, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub pinned: bool,
    pub archived: bool,
    /// Only if that is to come.
    pub muted_until_ms: Option<u64>,
    pub unread: bool,
    pub draft: Option<String>,
}

impl Setting {
    fn part(&self) -> Part {
        match self {
            Self::Star { .. } => Part::Star,
            Self::Mute { .. } => Part::Mute,
            Self::Archive { .. } => Part::Archive,
            Self::Pin { .. } => Part::Pin,
            Self::Unread { .. } => Part::Unread,
            Self::Draft { .. } => Part::Draft,
            Self::Show { what, .. } => what.part(),
        }
    }

    fn message(&self) -> Option<MessageId> {
        match self {
            Self::Star { message, .. } => Some(*message),
            _ => None,
        }
    }

    /// `chat_state.value`.
    fn value(&self) -> Value {
        let number = |number: Option<u64>| number.map_or(Value::Null, |it| Value::Integer(it.min(FOR_EVER_MS) as i64));
        match self {
            Self::Star { on, .. } | Self::Unread { on } => number(on.then_some(1)),
            Self::Mute { until_ms } => number(*until_ms),
            Self::Archive { known } => number(*known),
            Self::Pin { at_ms } => number(*at_ms),
            Self::Draft { text } if text.is_empty() => Value::Null,
            Self::Draft { text } => Value::Text(text.clone()),
            Self::Show { to: Audience::Everyone, .. } => Value::Null,
            Self::Show { to: Audience::Contacts, .. } => Value::Integer(1),
            Self::Show { to: Audience::Nobody, .. } => Value::Integer(2),
        }
    }

    /// What a row says; `None` if it was written by a newer version.
    fn read(part: u8, message: Option<MessageId>, value: Value) -> Option<Self> {
        let number = match value {
            Value::Integer(number) => Some(number.cast_unsigned()),
            _ => None,
        };
        Some(match (part, message) {
            (0, Some(message)) => Self::Star { message, on: number.is_some() },
            (1, _) => Self::Mute { until_ms: number },
            (2, _) => Self::Archive { known: number },
            (3, _) => Self::Pin { at_ms: number },
            (4, _) => Self::Unread { on: number.is_some() },
            (5, _) => Self::Draft {
                text: match value {
                    Value::Text(text) => text,
                    _ => String::new(),
                },
            },
            (6, _) => Self::Show { what: Shown::Picture, to: audience(number) },
            (7, _) => Self::Show { what: Shown::About, to: audience(number) },
            _ => return None,
        })
    }
}

impl Shown {
    fn part(self) -> Part {
        match self {
            Self::Picture => Part::ShowPicture,
            Self::About => Part::ShowAbout,
        }
    }
}

/// What is not known is for nobody.
fn audience(number: Option<u64>) -> Audience {
    match number {
        None => Audience::Everyone,
        Some(1) => Audience::Contacts,
        Some(_) => Audience::Nobody,
    }
}

/// Who gets to see a part of one's profile.
pub(crate) fn shown_to(step: &Step<'_>, what: Shown) -> Result<Audience, Stop> {
    let own = ConversationId::self_chat(step.me()?.sender.account);
    Ok(match value_of(step.tx, own, what.part())? {
        Some(Value::Integer(number)) => audience(Some(number.cast_unsigned())),
        _ => Audience::Everyone,
    })
}

/// A change that is made on this device, now.
pub(crate) fn set(step: &mut Step<'_>, conversation: ConversationId, setting: &Setting) -> Done {
    let known = stamp_of(step.tx, conversation, setting.part(), setting.message())?;
    // It counts more than what it replaces, also where a clock runs behind.
    let ms = step.now_ms.max(known.map_or(0, |stamp| stamp.ms.saturating_add(1)));
    let stamp = Stamp { ms, device: step.me()?.sender.device };
    apply(step, conversation, setting, stamp)?;
    sync::tell(step, &sync::Said::Setting { conversation, setting: setting.clone(), stamp })
}

/// Takes a setting over, from whatever device; false if a later one is known.
pub(crate) fn apply(
    step: &mut Step<'_>,
    conversation: ConversationId,
    setting: &Setting,
    stamp: Stamp,
) -> Result<bool, Stop> {
    let part = setting.part();
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO chat_state (conversation, message, part, value, stamp_ms, stamp_device)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (conversation, part, message) DO UPDATE
             SET value = excluded.value, stamp_ms = excluded.stamp_ms, stamp_device = excluded.stamp_device
             WHERE (excluded.stamp_ms, excluded.stamp_device) > (stamp_ms, stamp_device)",
        )?
        .execute(params![
            conversation.as_bytes(),
            about(&setting.message()),
            part as u8,
            setting.value(),
            stamp.ms.min(FOR_EVER_MS),
            stamp.device.as_bytes()
        ])?;
    if changed == 0 {
        return Ok(false);
    }
    if let Setting::Archive { known: Some(known) } = setting {
        come_back_above(step, conversation, *known)?;
    }
    match setting.message() {
        Some(message) => step.event(Event::MessageChanged { conversation, message }),
        None => step.event(Event::ConversationChanged { conversation }),
    }
    Ok(true)
}

/// A message that counts is new: an archived conversation comes back, unless it is muted. `seq`: of what is in the log.
pub(crate) fn came(step: &mut Step<'_>, conversation: ConversationId, seq: Option<u64>) -> Done {
    let Some(Value::Integer(known)) = value_of(step.tx, conversation, Part::Archive)? else { return Ok(()) };
    if seq.is_some_and(|seq| seq <= known.cast_unsigned()) || of(step, conversation)?.muted_until_ms.is_some() {
        return Ok(());
    }
    // The stamp stays: this is no word of the person's, and another device's later one must not lose to it.
    step.tx
        .prepare_cached("UPDATE chat_state SET value = NULL WHERE conversation = ?1 AND part = ?2")?
        .execute(params![conversation.as_bytes(), Part::Archive as u8])?;
    step.event(Event::ConversationChanged { conversation });
    Ok(())
}

/// Another device archived it before it knew what is here already.
fn come_back_above(step: &mut Step<'_>, conversation: ConversationId, known: u64) -> Done {
    let newest: Option<u64> = step
        .tx
        .prepare_cached("SELECT max(seq) FROM message WHERE conversation = ?1 AND counts = 1 AND seq < ?2")?
        .query_row(params![conversation.as_bytes(), crate::db::schema::UNSENT], |row| row.get(0))?;
    match newest {
        Some(newest) if newest > known => came(step, conversation, Some(newest)),
        _ => Ok(()),
    }
}

/// The person looks at the conversation: it is not marked as unread any more.
pub(crate) fn seen(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    if value_of(step.tx, conversation, Part::Unread)?.is_some_and(|value| value != Value::Null) {
        set(step, conversation, &Setting::Unread { on: false })?;
    }
    Ok(())
}

pub(crate) fn of(step: &Step<'_>, conversation: ConversationId) -> Result<Kept, Stop> {
    let rows: Vec<Option<Setting>> = step
        .tx
        .prepare_cached(
            "SELECT part, value FROM chat_state WHERE conversation = ?1 AND part > 0 AND message = x''
             AND value IS NOT NULL",
        )?
        .query_map([conversation.as_bytes()], |row| Ok(Setting::read(row.get(0)?, None, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut kept = Kept::default();
    for setting in rows.into_iter().flatten() {
        match setting {
            Setting::Star { .. } | Setting::Show { .. } => {}
            Setting::Mute { until_ms } => kept.muted_until_ms = until_ms.filter(|until_ms| *until_ms > step.now_ms),
            Setting::Archive { known } => kept.archived = known.is_some(),
            Setting::Pin { at_ms } => kept.pinned = at_ms.is_some(),
            Setting::Unread { on } => kept.unread = on,
            Setting::Draft { text } => kept.draft = Some(text),
        }
    }
    Ok(kept)
}

pub(crate) fn is_starred(tx: &Connection, conversation: ConversationId, message: MessageId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT 1 FROM chat_state WHERE conversation = ?1 AND part = ?2 AND message = ?3 AND value IS NOT NULL",
    )?
    .exists(params![conversation.as_bytes(), Part::Star as u8, message.as_bytes()])
}

/// How many conversations are pinned.
fn count_pinned(tx: &Connection) -> rusqlite::Result<usize> {
    tx.prepare_cached("SELECT count(*) FROM chat_state WHERE part = ?1 AND value IS NOT NULL")?
        .query_row([Part::Pin as u8], |row| row.get(0))
}

fn value_of(tx: &Connection, conversation: ConversationId, part: Part) -> rusqlite::Result<Option<Value>> {
    tx.prepare_cached("SELECT value FROM chat_state WHERE conversation = ?1 AND part = ?2 AND message = x''")?
        .query_row(params![conversation.as_bytes(), part as u8], |row| row.get(0))
        .optional()
}

fn stamp_of(
    tx: &Connection,
    conversation: ConversationId,
    part: Part,
    message: Option<MessageId>,
) -> rusqlite::Result<Option<Stamp>> {
    tx.prepare_cached(
        "SELECT stamp_ms, stamp_device FROM chat_state WHERE conversation = ?1 AND part = ?2 AND message = ?3",
    )?
    .query_row(params![conversation.as_bytes(), part as u8, about(&message)], |row| {
        Ok(Stamp { ms: row.get(0)?, device: DeviceId::from_bytes(row.get(1)?) })
    })
    .optional()
}

/// `chat_state.message`.
fn about(message: &Option<MessageId>) -> &[u8] {
    message.as_ref().map_or(&[], |message| message.as_bytes())
}

#[cfg(test)]
mod tests;
