//! Frames of the live connection, `GET /v1/socket`.
//!
//! The first frame is [`ClientFrame::Hello`], answered by [`ServerFrame::Plan`]. From then on:
//!
//! * New entries come as [`ServerFrame::Entry`], unasked. The client knows its own cursor: an entry at `cursor + 1` is
//!   the next one, an older one is a repeat, a younger one means that something is missing, and the client asks with
//!   [`ClientFrame::Sync`]. The server keeps no position per connection.
//! * Each `Sync` is answered by one [`ServerFrame::Page`]: that is the client's credit. The client asks again until
//!   the page says `caught_up`, and as long as it has seen a higher seq than it has.
//! * A connection that is read too slowly loses live entries, never the connection to the log: it gets
//!   [`ServerFrame::Moved`] as soon as there is room, and asks with `Sync`.
//! * An append is answered by `Appended` or `Refused`, in any order; the sender's own device does not get its own entry
//!   as `Entry`, for `Appended` says it all.

use crate::entry::{Change, Entry, Sender};
use crate::id::{AccountId, ConversationId, DeviceId, LogId, MessageId};
use crate::payload::Payload;
use crate::problem::Code;
use serde::{Deserialize, Serialize};

/// WebSocket subprotocols, in the server's order of preference (RFC 6455 section 1.9).
pub const SUBPROTOCOL_CBOR: &str = "tidings.v1.cbor";
pub const SUBPROTOCOL_JSON: &str = "tidings.v1.json";

/// From client to server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientFrame {
    /// Who this is, and since when it knows watermarks (`now_ms` of the last plan it finished; 0 for never).
    Hello { token: String, since_ms: u64 },
    Append(Append),
    Commit(Commit),
    /// Asks for one page of a log: the entries after `after`, at most `limit`.
    Sync { log: LogId, after: u64, limit: u32 },
    /// This device has everything up to `seq` in its own database.
    Cursor { log: LogId, seq: u64 },
    /// The person has seen everything up to `seq`.
    Read { conversation: ConversationId, seq: u64 },
    /// An encrypted payload for the devices that are online now; never stored, may be lost.
    Signal { conversation: ConversationId, payload: Payload },
    /// Answered by `Pong` with the same number: shows a client that the line is alive.
    Ping { nonce: u64 },
}

/// A message to append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Append {
    pub conversation: ConversationId,
    pub message_id: MessageId,
    /// The MLS epoch that it is encrypted for.
    pub epoch: u64,
    pub payload: Payload,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Shorter life than the server's retention, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// An MLS commit to append. All of it takes effect, or nothing. With `change.create` it creates the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Commit {
    pub conversation: ConversationId,
    pub message_id: MessageId,
    /// The epoch that it ends.
    pub epoch: u64,
    /// MLS PublicMessage.
    pub payload: Payload,
    pub change: Change,
    /// One for each added device, except the sender's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub welcomes: Vec<Welcome>,
    /// The GroupInfo of the new epoch with its ratchet tree, for those who join by external commit.
    pub group_info: Payload,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Welcome {
    pub account: AccountId,
    pub device: DeviceId,
    /// MLS Welcome.
    pub payload: Payload,
}

/// From server to client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerFrame {
    Plan(Plan),
    Entry(Entry),
    Page(Page),
    Appended { conversation: ConversationId, message_id: MessageId, seq: u64, time_ms: u64 },
    Refused(Refused),
    /// A member's watermarks moved. Sent to the devices of the other members, and of that member itself.
    Receipt { conversation: ConversationId, watermark: Watermark },
    Signal { conversation: ConversationId, sender: Sender, payload: Payload },
    /// This log has entries up to `head` that were not sent on this connection.
    Moved { log: LogId, head: u64 },
    Pong { nonce: u64 },
    /// The last frame before the server closes; says why, and when to come back.
    Goodbye { code: Code, detail: String, #[serde(default, skip_serializing_if = "Option::is_none")] retry_after_ms: Option<u64> },
}

/// Answers `Hello`: what moved since this device was last here. Comes in parts; the last one says `done`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Plan {
    /// The server's clock; the client's next `since_ms` once it has done all that this plan asks for.
    pub now_ms: u64,
    /// The inbox (if it moved) first, then conversations, the most recently active first.
    pub logs: Vec<PlanLog>,
    pub done: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanLog {
    pub log: LogId,
    /// Seq of the newest entry.
    pub head: u64,
    /// Seq of the oldest entry that is still kept.
    pub oldest: u64,
    /// This device's cursor as the server knows it; the client's own word counts.
    pub cursor: u64,
    /// An upper bound on the unread messages: own messages that other devices sent meanwhile are counted too.
    pub unread: u64,
    /// Every member's watermarks; one's own too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watermarks: Vec<Watermark>,
}

/// What a member has: both are seqs of the conversation's log, and neither ever runs backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Watermark {
    pub account: AccountId,
    /// Highest seq that a device of the account has stored.
    pub delivered: u64,
    /// Highest seq that the person has seen.
    pub read: u64,
}

/// Answers `Sync`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page {
    pub log: LogId,
    pub entries: Vec<Entry>,
    pub head: u64,
    /// Seq of the oldest entry that is still kept. Above `after + 1` there is a gap that no page will fill.
    pub oldest: u64,
    /// Nothing was left at the time of the answer.
    pub caught_up: bool,
}

/// An append or commit that was not taken. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub conversation: ConversationId,
    pub message_id: MessageId,
    pub code: Code,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// With `stale_epoch`: the conversation's epoch and head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<u64>,
}
