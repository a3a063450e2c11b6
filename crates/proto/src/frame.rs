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
    Hello {
        token: String,
        since_ms: u64,
        /// How often this device has said hello, by its own durable count: how the server notices a device whose database
        /// was put back (`Plan::rolled_back`). 0: it does not count.
        #[serde(default, skip_serializing_if = "is_zero")]
        count: u64,
    },
    Append(Append),
    Commit(Box<Commit>),
    /// Asks for one page of a log: the entries after `after`, at most `limit`.
    Sync {
        log: LogId,
        after: u64,
        limit: u32,
    },
    /// This device has everything up to `seq` in its own database.
    Cursor {
        log: LogId,
        seq: u64,
    },
    /// The person has seen everything up to `seq`.
    Read {
        conversation: ConversationId,
        seq: u64,
    },
    /// An encrypted payload for the devices that are online now; never stored, may be lost.
    Signal {
        conversation: ConversationId,
        payload: Payload,
    },
    /// Whether the person is looking at the app on this device: an account is online while any of its devices says so.
    Active {
        on: bool,
    },
    /// From now on (or no longer) tell this connection whether that person is online: while a chat is open.
    Watch {
        account: AccountId,
        on: bool,
    },
    /// Answered by `Pong` with the same number: shows a client that the line is alive.
    Ping {
        nonce: u64,
    },
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
    /// The GroupInfo of the new epoch, for those who join by external commit. In a direct conversation and in a self chat
    /// with its ratchet tree; in a group without, for the server knows the tree.
    pub group_info: Payload,
    /// Only of the commit that creates a group: the GroupInfo of epoch 0 with its ratchet tree of one leaf, from which on
    /// the server follows the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Payload>,
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
    Appended {
        conversation: ConversationId,
        message_id: MessageId,
        seq: u64,
        time_ms: u64,
    },
    Refused(Refused),
    /// Members' watermarks moved. In a direct conversation told at once, to both people's devices; in a group gathered
    /// for a moment, to the devices of those who wrote what was delivered or read, and of that member itself.
    Receipts {
        conversation: ConversationId,
        watermarks: Vec<Watermark>,
    },
    /// Answers `Watch`, and again whenever it changes.
    Presence(Presence),
    Signal {
        conversation: ConversationId,
        sender: Sender,
        payload: Payload,
    },
    /// This log has entries up to `head` that were not sent on this connection.
    Moved {
        log: LogId,
        head: u64,
    },
    Pong {
        nonce: u64,
    },
    /// The last frame before the server closes; says why, and when to come back.
    Goodbye {
        code: Code,
        detail: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
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
    /// This device has said a hello with the same count or a higher one before: its database is an old copy of what it was.
    /// The plan then names every log, as if the device had confirmed nothing; the count goes on from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
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
    /// One's own watermarks; in a direct conversation the other person's too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watermarks: Vec<Watermark>,
    /// In a group: up to where everybody else has and has read everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Floor>,
}

/// The lowest watermarks of a group's other members. Who joined later has what came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Floor {
    pub delivered: u64,
    pub read: u64,
}

/// Whether a person is there, as far as they share it with the one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Presence {
    pub account: AccountId,
    pub online: bool,
    /// Milliseconds since 1970; absent if unknown or not shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_ms: Option<u64>,
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
    /// When either last moved, by the server's clock; 0 if it never did.
    #[serde(default)]
    pub time_ms: u64,
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
    /// With `invite_needed`: who.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Format;
    use crate::entry::{Body, ConversationKind};

    fn sender(n: u8) -> Sender {
        Sender { account: AccountId::from_bytes([n; 16]), device: DeviceId::from_bytes([n + 1; 16]) }
    }

    fn client_frames() -> Vec<ClientFrame> {
        let conversation = ConversationId::from_bytes([9; 16]);
        let message_id = MessageId::new(1_700_000_000_000, [5; 10]);
        vec![
            ClientFrame::Hello { token: "token".into(), since_ms: 1_700_000_000_000, count: 7 },
            ClientFrame::Append(Append {
                conversation,
                message_id,
                epoch: 1,
                payload: b"private message".to_vec().into(),
                silent: true,
                expires_in_s: Some(60),
            }),
            ClientFrame::Commit(Box::new(Commit {
                conversation,
                message_id,
                epoch: 0,
                payload: b"public message".to_vec().into(),
                change: Change {
                    create: Some(ConversationKind::Direct),
                    added: vec![sender(1), sender(3)],
                    removed: vec![],
                    ..Change::default()
                },
                welcomes: vec![Welcome {
                    account: sender(3).account,
                    device: sender(3).device,
                    payload: b"welcome".to_vec().into(),
                }],
                group_info: b"group info".to_vec().into(),
                origin: None,
            })),
            ClientFrame::Sync { log: conversation.into(), after: 41, limit: 256 },
            ClientFrame::Cursor { log: conversation.into(), seq: 42 },
            ClientFrame::Read { conversation, seq: 42 },
            ClientFrame::Signal { conversation, payload: b"sealed".to_vec().into() },
            ClientFrame::Active { on: true },
            ClientFrame::Watch { account: sender(1).account, on: true },
            ClientFrame::Ping { nonce: 7 },
        ]
    }

    fn server_frames() -> Vec<ServerFrame> {
        let conversation = ConversationId::from_bytes([9; 16]);
        let message_id = MessageId::new(1_700_000_000_000, [5; 10]);
        let watermark = Watermark { account: sender(1).account, delivered: 42, read: 40, time_ms: 1_700_000_000_000 };
        let entry = Entry {
            log: sender(3).device.into(),
            seq: 1,
            time_ms: 1_700_000_000_000,
            epoch: 0,
            message_id,
            sender: sender(1),
            commit_seq: 0,
            ordinal: 0,
            expires_ms: 1_702_592_000_000,
            body: Body::Welcome { conversation, commit: message_id, payload: b"welcome".to_vec().into() },
        };
        vec![
            ServerFrame::Plan(Plan {
                now_ms: 1_700_000_000_000,
                logs: vec![PlanLog {
                    log: conversation.into(),
                    head: 42,
                    oldest: 1,
                    cursor: 40,
                    unread: 2,
                    watermarks: vec![watermark],
                    floor: Some(Floor { delivered: 41, read: 40 }),
                }],
                done: true,
                rolled_back: None,
            }),
            ServerFrame::Entry(entry.clone()),
            ServerFrame::Page(Page { log: entry.log, entries: vec![entry], head: 1, oldest: 1, caught_up: true }),
            ServerFrame::Appended { conversation, message_id, seq: 42, time_ms: 1_700_000_000_000 },
            ServerFrame::Refused(Refused {
                conversation,
                message_id,
                code: Code::StaleEpoch,
                detail: "The conversation is at epoch 2.".into(),
                retry_after_ms: None,
                epoch: Some(2),
                head: Some(43),
                accounts: Vec::new(),
            }),
            ServerFrame::Receipts { conversation, watermarks: vec![watermark] },
            ServerFrame::Presence(Presence {
                account: sender(1).account,
                online: false,
                last_seen_ms: Some(1_700_000_000_000),
            }),
            ServerFrame::Signal { conversation, sender: sender(1), payload: b"sealed".to_vec().into() },
            ServerFrame::Moved { log: conversation.into(), head: 50 },
            ServerFrame::Pong { nonce: 7 },
            ServerFrame::Goodbye {
                code: Code::ShuttingDown,
                detail: "The server restarts.".into(),
                retry_after_ms: Some(1_000),
            },
        ]
    }

    #[test]
    fn frames_keep_their_form_and_pass_both_formats() {
        insta::assert_json_snapshot!("client_frames", client_frames());
        insta::assert_json_snapshot!("server_frames", server_frames());
        for format in [Format::Json, Format::Cbor] {
            for frame in client_frames() {
                assert_eq!(format.decode::<ClientFrame>(&format.encode(&frame)).expect("it was just encoded"), frame);
            }
            for frame in server_frames() {
                assert_eq!(format.decode::<ServerFrame>(&format.encode(&frame)).expect("it was just encoded"), frame);
            }
        }
    }
}
