//! What changed that people see. An event names things; a `view` query shows them.

use serde::{Deserialize, Serialize};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A message (or a notice such as a changed safety number) is new in the database.
    MessageAdded {
        conversation: ConversationId,
        message: MessageId,
        own: bool,
    },
    /// Its text, reactions or state changed.
    MessageChanged {
        conversation: ConversationId,
        message: MessageId,
    },
    /// It is not here any more: it disappeared by its timer, or was deleted for oneself.
    MessageRemoved {
        conversation: ConversationId,
        message: MessageId,
    },
    /// Watermarks moved: ticks of messages up to some point changed.
    TicksChanged {
        conversation: ConversationId,
    },
    /// The row in the list of conversations changed: unread, last message, name.
    ConversationChanged {
        conversation: ConversationId,
    },
    /// Kept up by the sender's client every few seconds while it lasts; forget it after [`TYPING_LIFETIME_MS`].
    Typing {
        conversation: ConversationId,
        account: AccountId,
        on: bool,
    },
    /// Somebody whose chat is on the screen came or went, or it is not known any more: [`crate::view::Conversation::presence`].
    PresenceChanged {
        account: AccountId,
    },
    /// The address book changed, or who of it is here; names may be others everywhere.
    ContactsChanged,
    /// Somebody asks an admin of a group to be let in.
    JoinRequested {
        conversation: ConversationId,
        account: AccountId,
    },
    /// A new device of one's own came into the self chat: the others may send it what it has missed.
    DeviceLinked {
        device: DeviceId,
    },
    Connection {
        state: Connection,
    },
    /// Everything that the server's plan named is in the database.
    CaughtUp,
    /// A backup, or an archive that is taken over, went on: messages of about so many.
    Transfer {
        what: Transfer,
        done: u64,
        total: u64,
    },
    /// An archive was taken over. `damaged`: parts that could not be used.
    Restored {
        messages: u64,
        damaged: u64,
    },
    /// All of this device's history is on its way to a new device of one's own.
    HistorySent {
        messages: u64,
    },
    /// Somebody who has a code for the number says that they forgot the PIN: they get in at this time, unless a device of
    /// the account ends that ([`crate::Command::EndLockReset`]).
    LockReset {
        opens_ms: u64,
    },
    /// This device is out: the database was wiped, log in again.
    LoggedOut {
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// This device's backup.
    Backup,
    /// A backup, or another device's history, on its way in.
    Restore,
    /// This device's history, on its way to another one.
    History,
}

/// How long a typing signal holds without another one.
pub const TYPING_LIFETIME_MS: u64 = 6_000;

/// How long a chat counts as looked at without another [`crate::Command::OpenChat`]; to be said again every
/// [`LOOK_RENEW_MS`].
pub const LOOK_LIFETIME_MS: u64 = 30_000;
pub const LOOK_RENEW_MS: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// Waiting for the network; the outbox fills.
    Offline,
    Connecting,
    /// Connected, still reading what was missed.
    CatchingUp,
    Live,
}
