//! One row of a log, as it stands on the server's disk and on the wire.

use crate::group::{GroupRules, JoinProof, LeaveProof};
use crate::id::{AccountId, ConversationId, DeviceId, LogId, MessageId};
use crate::payload::Payload;
use serde::{Deserialize, Serialize};

/// An entry of a log. The order of a log is the order of `seq`, and `time_ms` never runs backwards in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// The conversation, or the device whose inbox this is.
    pub log: LogId,
    /// 1, 2, 3 … without a hole.
    pub seq: u64,
    /// The server's clock at the append, in milliseconds since 1970.
    pub time_ms: u64,
    /// The conversation's MLS epoch before this entry; a commit leads to `epoch + 1`. 0 in an inbox.
    pub epoch: u64,
    pub message_id: MessageId,
    pub sender: Sender,
    /// Seq of the newest commit, leave or log-out at or before this entry, 0 if there is none: how a reader finds the membership.
    pub commit_seq: u64,
    /// How many entries up to and including this one count as unread for those who have not seen them.
    pub ordinal: u64,
    /// When the server may forget it, in milliseconds since 1970.
    pub expires_ms: u64,
    pub body: Body,
}

/// Who appended an entry. The server vouches for it; inside the payload MLS proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sender {
    pub account: AccountId,
    pub device: DeviceId,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// An MLS PrivateMessage (RFC 9420 section 6.3). `silent`: changes something shown before (reaction, edit, …), so
    /// it neither counts as unread nor rings.
    Message {
        payload: Payload,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        silent: bool,
    },
    /// An MLS commit as PublicMessage (RFC 9420 section 12.4), and in clear what it does to the membership.
    Commit { payload: Payload, change: Box<Change> },
    /// Only in an inbox: an MLS Welcome (RFC 9420 section 12.4.3.1). It counts once the conversation's log has the
    /// commit with the id `commit`; if another commit won that epoch, the welcome is void.
    Welcome { conversation: ConversationId, commit: MessageId, payload: Payload },
    /// Only in a group: the sender's account leaves. It is no member any more; the next commit of a member takes its
    /// leaves out of the MLS group and shows this proof (`Change::left`), and no message is taken before that.
    Leave { proof: LeaveProof },
    /// The sending device was logged out; the server says so. The next commit of a member takes its leaf out, and no message
    /// is taken before that. `revoked`: 64 bytes, of who threw it out for good (see [`crate::credential::revocation`]).
    Gone {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revoked: Option<Payload>,
        /// 64 bytes, of an account that was deleted (see [`crate::credential::deletion`]). Then it may also be said of a
        /// device without a leaf.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deleted: Option<Payload>,
    },
    /// Only in an inbox: somebody who has a code for the account's number says that the lock's PIN was forgotten. They get
    /// in at this time, unless a device of the account ends it.
    LockReset { opens_ms: u64 },
    /// Only in an inbox, and only of admins: somebody asks to be let in, by a link that needs an approval.
    JoinRequest { conversation: ConversationId },
}

/// What a commit does to the membership, declared beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// Present in a log's first entry only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<ConversationKind>,
    /// Devices whose leaves this commit adds. The first entry names the creating device too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Sender>,
    /// Devices whose leaves this commit removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Sender>,
    /// An external commit (RFC 9420 section 12.4.3.2): the sender (re)joins by itself. It is named in `added` too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// The group's rules from here on, if this commit changes them; the first entry of a group has them too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<GroupRules>,
    /// With `external`: by which invite the sender comes in, if it is no member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<JoinProof>,
    /// Of accounts that left and whose leaves this commit removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeaveProof>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Two accounts; exactly one per pair.
    Direct,
    Group,
    /// Notes to oneself.
    #[serde(rename = "self")]
    SelfChat,
}

impl Entry {
    /// Whether it counts as unread and rings.
    pub fn counts(&self) -> bool {
        matches!(self.body, Body::Message { silent: false, .. })
    }

    /// The epoch that holds after this entry.
    pub fn epoch_after(&self) -> u64 {
        self.epoch + u64::from(matches!(self.body, Body::Commit { .. }))
    }
}
