//! What the core answers to a command, once it is known.

use crate::view;
use serde::{Deserialize, Serialize};
use tidings_proto::group::InviteKey;
use tidings_proto::http::Audience;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};
use tidings_proto::payload::Payload;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done,
    CodeSent {
        expires_in_s: u64,
        retry_after_s: u64,
    },
    LoggedIn {
        account: AccountId,
        device: DeviceId,
    },
    LinkCode {
        code: String,
        expires_in_s: u64,
    },
    Devices(Vec<view::Device>),
    /// This device has no keys yet. `backup`: what the server has.
    SignedIn {
        backup: Option<view::FoundBackup>,
    },
    /// A recovery code is shown once, to be written down.
    BackupSecret {
        code: Option<String>,
    },
    Backup(view::Backup),
    FilePart {
        #[cfg_attr(test, ts(type = "string"))]
        bytes: Payload,
        more: bool,
        /// Messages so far, of about so many.
        done: u64,
        total: u64,
    },
    /// The sizes of the chunks that follow the file's head.
    FileOpened {
        sizes: Vec<u64>,
    },
    Queued {
        message: MessageId,
        conversation: ConversationId,
    },
    SafetyNumber {
        digits: String,
        verified: bool,
    },
    /// `account`: the other person of a direct conversation.
    Conversation {
        conversation: ConversationId,
        account: Option<AccountId>,
    },
    Lock(view::Lock),
    /// Under which name those who run the server find it.
    Reported {
        report: String,
    },
    Group(view::Group),
    Invite {
        token: String,
        key: InviteKey,
    },
    JoinRequested,
    /// `None`: not known, or not shared.
    Presence(Option<view::Presence>),
    Profile {
        name: Option<String>,
        about: Option<String>,
        #[cfg_attr(test, ts(type = "string | null"))]
        picture: Option<Payload>,
    },
    Picture {
        #[cfg_attr(test, ts(type = "string | null"))]
        picture: Option<Payload>,
    },
    /// Contacts are the people of the address book, without those who are blocked.
    Privacy {
        /// Online and last seen.
        last_seen: Audience,
        /// Whether others see what one has read.
        read_receipts: bool,
        /// Who finds one by number.
        find_me: Audience,
        /// Who may add one to groups; the others need a link, or one's asking.
        add_me: Audience,
        /// Who gets to see one's picture. With `Contacts` it goes to no group.
        picture: Audience,
        /// The same of the line about oneself.
        about: Audience,
    },
    ContactsAdded {
        added: u64,
        /// Were there under another name.
        renamed: u64,
    },
    Contacts(Vec<view::Contact>),
    Vcard(view::Vcard),
    JoinRequests(Vec<view::JoinRequest>),
    MessageInfo(view::MessageInfo),
    Status(view::Status),
    Conversations(Vec<view::Conversation>),
    Messages(Vec<view::Message>),
    Message(view::Message),
}
