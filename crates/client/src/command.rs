//! What a person or a program can ask of the core. Commands and replies are serde types: the terminal, the agent and
//! the browser's page use the same ones.

use crate::view;
use serde::{Deserialize, Serialize};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// E.164. Looked up at the server the first time.
    Phone(String),
    Account(AccountId),
    Conversation(ConversationId),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Ask the server to send a code to this number. → `Reply::CodeSent`
    Register {
        phone: String,
    },
    /// Sign this device in with the code. → `Reply::LoggedIn` once keys and credential are at the server too.
    Login {
        phone: String,
        code: String,
        device_name: String,
    },
    /// Log this device out at the server and wipe the database. → `Reply::Done`
    Logout,

    /// → `Reply::Queued` as soon as it is in the database (the clock); ticks come as events. The conversation is made
    /// on the first message to a person.
    Send {
        to: Peer,
        text: String,
        reply_to: Option<MessageId>,
    },
    /// An emoji; `None` takes one's reaction back. → `Reply::Queued`
    React {
        to: Peer,
        message: MessageId,
        emoji: Option<String>,
    },
    /// Only one's own messages. → `Reply::Queued`
    Edit {
        to: Peer,
        message: MessageId,
        text: String,
    },
    /// For everyone; only one's own messages. → `Reply::Queued`
    Delete {
        to: Peer,
        message: MessageId,
    },
    /// The person has seen everything up to this message. → `Reply::Done`
    MarkRead {
        to: Peer,
        up_to: MessageId,
    },
    /// → `Reply::Done`; lost without a sound when offline.
    Typing {
        to: Peer,
        on: bool,
    },

    /// → `Reply::Done`
    Block {
        who: Peer,
    },
    Unblock {
        who: Peer,
    },
    /// → `Reply::SafetyNumber`
    SafetyNumber {
        who: Peer,
    },
    /// The person compared the safety number and it is right. → `Reply::Done`
    MarkVerified {
        who: Peer,
    },
    /// The conversation with a person, looked up but not yet made. → `Reply::Conversation`
    Resolve {
        who: Peer,
    },

    /// → `Reply::Status`
    Status,
    /// Most recently active first. → `Reply::Conversations`
    Conversations,
    /// Ascending; the newest `limit` before `before`, or the newest of all. → `Reply::Messages`
    Messages {
        of: Peer,
        before: Option<view::Position>,
        limit: u32,
    },
    /// → `Reply::Message`
    Message {
        id: MessageId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done,
    CodeSent { expires_in_s: u64, retry_after_s: u64 },
    LoggedIn { account: AccountId, device: DeviceId },
    Queued { message: MessageId, conversation: ConversationId },
    SafetyNumber { digits: String, verified: bool },
    Conversation { conversation: ConversationId, account: AccountId },
    Status(view::Status),
    Conversations(Vec<view::Conversation>),
    Messages(Vec<view::Message>),
    Message(view::Message),
}
