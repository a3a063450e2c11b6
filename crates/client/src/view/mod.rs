//! Plain rows to show. Queries live beside them, one file per row.

pub(crate) mod contact;
pub(crate) mod conversation;
mod detail;
pub(crate) mod info;
pub(crate) mod kept;
pub(crate) mod message;
pub(crate) mod notice;
pub(crate) mod status;

use crate::content::{Degrees, LinkPreview};
use serde::{Deserialize, Serialize};
use tidings_proto::backup::SecretKind;
use tidings_proto::entry::ConversationKind;
use tidings_proto::group::{GroupRules, InviteKey, Who};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};

/// Who and where this device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Status {
    pub account: Option<AccountId>,
    pub device: Option<DeviceId>,
    pub phone: Option<String>,
    pub connection: crate::event::Connection,
    /// Messages that wait to be sent.
    pub outbox: u64,
    /// What changes messages (reactions, edits, deletions) and waits to be sent.
    pub changes: u64,
    /// Of all conversations that are not archived.
    pub unread: u64,
    /// How many of them are in muted conversations.
    #[serde(default)]
    pub unread_muted: u64,
    /// Messages of a backup, or of another device's history, are still coming.
    #[serde(default)]
    pub importing: bool,
    /// Conversations that this device is about to come into (again), as after a restore.
    #[serde(default)]
    pub joining: u64,
    /// Somebody says that they forgot the PIN of the number: when the lock opens for them.
    #[serde(default)]
    pub lock_reset_ms: Option<u64>,
}

/// One of one's own devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Device {
    pub device: DeviceId,
    pub name: String,
    pub created_ms: u64,
    /// The one that shows this.
    pub current: bool,
}

/// The account's backup, as this device makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Backup {
    /// What opens it; none while this device makes no backup.
    pub secret: Option<SecretKind>,
    /// When the newest one was complete.
    pub made_ms: Option<u64>,
    /// How many there have been.
    pub generation: u64,
    pub chunks: u64,
    pub bytes: u64,
    pub messages: u64,
    /// Parts that changed since.
    pub pending: u64,
    /// It is time to ask the person for the secret, so that they do not forget it.
    pub prove: bool,
}

/// A backup that a login found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct FoundBackup {
    pub secret: SecretKind,
    pub made_ms: u64,
    /// After wrong guesses.
    pub retry_after_ms: Option<u64>,
}

/// A row of the list of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Conversation {
    pub conversation: ConversationId,
    pub kind: ConversationKind,
    /// The other account of a direct conversation.
    pub account: Option<AccountId>,
    /// What to call it: a group's name; a name from one's address book, else from the profile, else the number, else the
    /// account id.
    pub title: String,
    /// False once one has left a group or was removed: it can be read, and no more.
    pub member: bool,
    /// The other person's number, if they told it and the server confirms it.
    pub phone: Option<String>,
    pub unread: u64,
    pub last: Option<Message>,
    pub blocked: bool,
    pub verified: bool,
    /// Of the other person of a direct conversation, while its chat is on the screen; absent if not known or not shared.
    #[serde(default)]
    pub presence: Option<Presence>,
    /// At the top of one's own list.
    #[serde(default)]
    pub pinned: bool,
    #[serde(default)]
    pub archived: bool,
    /// Nothing rings until then; [`FOR_EVER_MS`] is for ever.
    #[serde(default)]
    pub muted_until_ms: Option<u64>,
    /// The person wants to come back to it, whatever `unread` says.
    #[serde(default)]
    pub marked_unread: bool,
    #[serde(default)]
    pub draft: Option<String>,
    /// Messages that are pinned for everybody, pinned last first.
    #[serde(default)]
    pub pins: Vec<MessageId>,
    /// How long what is said now stays, if not for good.
    #[serde(default)]
    pub timer_s: Option<u64>,
    /// What the other person says about themselves.
    #[serde(default)]
    pub about: Option<String>,
    /// Names the picture of the group or of the other person: another one has another name. [`crate::Command::Picture`]
    /// gets it.
    #[serde(default)]
    pub picture: Option<String>,
}

/// Somebody in one's address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Contact {
    pub phone: String,
    /// One's own name for them.
    pub name: String,
    pub found: Found,
    /// If they are here.
    pub account: Option<AccountId>,
    /// The direct conversation with them, whether or not it was begun; absent for one's own number.
    pub conversation: Option<ConversationId>,
    /// What they call themselves, and say of themselves.
    pub profile_name: Option<String>,
    pub about: Option<String>,
    /// As in [`Conversation`].
    pub picture: Option<String>,
    pub blocked: bool,
}

/// Whether a number has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Found {
    Here,
    /// Nobody whom this account may find, when the server was last asked.
    Nobody,
    /// The server was not asked lately: [`crate::Command::FindContacts`].
    Unknown,
}

/// What a vCard file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Vcard {
    pub cards: Vec<Card>,
    pub skipped: Vec<Skipped>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Card {
    /// Where it begins, from 1.
    pub line: u64,
    pub name: String,
    /// As they are written in the file: perhaps without a country code.
    pub phones: Vec<String>,
}

/// What of a file cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Skipped {
    pub line: u64,
    pub why: String,
}

/// Whether somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Presence {
    pub online: bool,
    /// By the server's clock.
    pub last_seen_ms: Option<u64>,
}

/// The last instant that a date in JavaScript can name.
pub const FOR_EVER_MS: u64 = 8_640_000_000_000_000;
/// Conversations at the top of one's own list.
pub const PINNED_CONVERSATIONS_MAX: usize = 5;

/// Where a message stands in its conversation: by seq; what is not sent yet comes last, in the order it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Position {
    /// `u64::MAX` for what is not sent yet.
    pub seq: u64,
    /// Order among those.
    pub local: u64,
}

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Message {
    pub message: MessageId,
    pub conversation: ConversationId,
    pub position: Position,
    pub sender: AccountId,
    /// As in [`Conversation::title`]; "You" is the caller's to say.
    pub sender_title: String,
    pub own: bool,
    /// The server's time, or the local one while it waits.
    pub time_ms: u64,
    pub body: Body,
    pub reply_to: Option<Quote>,
    /// Emoji and who gave it, in the order they came.
    pub reactions: Vec<Reaction>,
    pub edited: bool,
    /// Of one's own messages.
    pub tick: Option<Tick>,
    /// Why it will never be sent ([`Tick::Failed`]), for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    #[serde(default)]
    pub starred: bool,
    /// For everybody in the chat.
    #[serde(default)]
    pub pinned: bool,
    /// Said by somebody else before.
    #[serde(default)]
    pub forwarded: bool,
    /// Whom the text names, in the text's order.
    #[serde(default)]
    pub mentions: Vec<Mentioned>,
    /// Whether it names oneself.
    #[serde(default)]
    pub mentions_me: bool,
    #[serde(default)]
    pub preview: Option<Box<LinkPreview>>,
    /// The admin who deleted it for everyone, if it was not the sender.
    #[serde(default)]
    pub deleted_by: Option<Person>,
    /// When it disappears by the conversation's timer; not known before it is sent.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// Somebody named in a text: bytes `start .. start + len` of its UTF-8 call them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Mentioned {
    pub who: Person,
    pub start: u32,
    pub len: u32,
}

/// An answer of a poll, and who chose it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PollOption {
    pub text: String,
    pub voters: Vec<Person>,
    /// Whether oneself did.
    pub mine: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Text {
        text: String,
    },
    Poll {
        question: String,
        /// Several may be chosen.
        multiple: bool,
        options: Vec<PollOption>,
    },
    Location {
        latitude: Degrees,
        longitude: Degrees,
        name: Option<String>,
    },
    Contact {
        name: String,
        phone: String,
    },
    /// Deleted for everyone by its sender, or by [`Message::deleted_by`].
    Deleted,
    /// Something is missing here that this device cannot read: what is known of it, for people.
    Unreadable {
        why: String,
    },
    /// Said by the core, not by a person: the safety number changed, the conversation was secured anew.
    Notice {
        notice: Notice,
    },
    /// Made by a newer client.
    Unknown,
}

/// The PIN of the number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Lock {
    pub on: bool,
    pub set_ms: Option<u64>,
    /// Somebody says that they forgot it: when it opens for them.
    pub reset_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// This person has a new device without the old ones' key, or is somebody else.
    SafetyNumberChanged {
        who: Person,
    },
    /// Entries expired at the server before this device read them.
    HistoryMissing,
    GroupCreated {
        by: Person,
    },
    Added {
        by: Person,
        who: Vec<Person>,
    },
    Removed {
        by: Person,
        who: Vec<Person>,
    },
    Left {
        who: Person,
    },
    AccountDeleted {
        who: Person,
    },
    JoinedByLink {
        who: Person,
    },
    AdminsChanged {
        by: Person,
        named: Vec<Person>,
        dismissed: Vec<Person>,
    },
    RulesChanged {
        by: Person,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        posting: Option<Who>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        editing: Option<Who>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adding: Option<Who>,
    },
    Renamed {
        by: Person,
        name: Option<String>,
    },
    Described {
        by: Person,
        description: Option<String>,
    },
    /// It has another picture, or none.
    Pictured {
        by: Person,
    },
    /// How long what is said stays from there on; `None`: for good.
    TimerSet {
        by: Person,
        seconds: Option<u64>,
    },
    /// The server passed on a change of the group that nobody was allowed to make: this device goes no further.
    Distrusted,
}

/// Somebody, and what to call them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Person {
    pub account: AccountId,
    #[serde(default)]
    pub title: String,
}

/// All about a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Group {
    pub conversation: ConversationId,
    pub name: Option<String>,
    pub description: Option<String>,
    /// Names the picture, as in [`Conversation::picture`].
    pub picture: Option<String>,
    /// False once one has left or was removed.
    pub member: bool,
    pub members: Vec<Member>,
    pub rules: GroupRules,
    pub invites: Vec<InviteLink>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Member {
    pub account: AccountId,
    pub title: String,
    pub admin: bool,
    /// None of their devices can read now.
    pub away: bool,
    /// Since when this device knows them in the group, by the server's clock.
    pub since_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct InviteLink {
    pub key: InviteKey,
    pub expires_s: Option<u64>,
    pub approval: bool,
    /// The link itself, on the device that made it.
    pub token: Option<String>,
}

/// How far one's own message got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MessageInfo {
    pub message: MessageId,
    /// Everybody else who was in the conversation when it was sent and still is.
    pub members: Vec<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Seen {
    pub who: Person,
    pub delivered: bool,
    /// By the server's clock; absent if it happened while this device could not learn when.
    pub delivered_ms: Option<u64>,
    pub read: bool,
    pub read_ms: Option<u64>,
}

/// Somebody who waits to be let into a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JoinRequest {
    pub who: Person,
    pub time_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Quote {
    pub message: MessageId,
    pub sender: AccountId,
    /// The beginning of the text, if it is here.
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Reaction {
    pub account: AccountId,
    pub emoji: String,
}

/// The promise that a message has reached; see the design's section on ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    /// It will never be sent: [`Message::failure`] says why, and the text is kept.
    Failed,
    /// In one's own database; will be sent.
    Clock,
    /// On the server's disk.
    Sent,
    /// In the database of a device of every other member.
    Delivered,
    /// Seen by every other member.
    Read,
}
