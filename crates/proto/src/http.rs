//! Bodies of the HTTP API, base path `/v1`. Each type names its endpoint; [`crate::problem::Problem`] answers errors.

use crate::entry::{ConversationKind, Entry, Sender};
use crate::frame::{Commit, Page, PlanLog, Watermark};
use crate::group::{GroupRules, JoinProof, LeaveProof};
use crate::id::{AccountId, ConversationId, DeviceId, LinkId, LogId, MessageId};
use crate::payload::Payload;
use serde::{Deserialize, Serialize};

macro_rules! bodies {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }
        )*
    };
}

bodies! {
    /// `POST /v1/register`: sends a code to the number. 202 with [`Registered`], the same whether or not the number is known.
    pub struct Register {
        /// E.164, as in `+31612345678`.
        pub phone: String,
    }

    pub struct Registered {
        /// How long the code is valid.
        pub expires_in_s: u64,
        /// After how long another code may be asked for.
        pub retry_after_s: u64,
    }

    /// `POST /v1/login`: 200 with [`Tokens`]. Makes the account at the first login of a number, and a device each time.
    pub struct Login {
        pub phone: String,
        pub code: String,
        /// What the person's other devices show, as in "laptop".
        pub device_name: String,
        /// If the number is locked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub pin: Option<String>,
        /// The PIN was forgotten: begins the time after which the lock opens without it, unless that runs already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub forgot_pin: bool,
    }

    /// `POST /v1/links`: 201. A device that is new opens a place where an old device of the account can leave something
    /// for it. Nobody is signed in yet.
    pub struct LinkOpened {
        pub link: LinkId,
        /// How long the place is kept.
        pub expires_in_s: u64,
    }

    /// `PUT /v1/links/{id}`: 204. An old device leaves what it sealed for the new one, and grants it a login. Once; a repeat
    /// of the same changes nothing.
    pub struct PutLink {
        /// At most [`crate::limit::LINK_BLOB_MAX_BYTES`].
        pub blob: Payload,
        /// SHA-256 of the grant that the blob holds: 32 bytes.
        pub grant_hash: Payload,
    }

    /// `GET /v1/links/{id}`: 200; 404 `not_found` while nothing was left there, and once it was used or has expired.
    pub struct LinkBlob {
        pub blob: Payload,
    }

    /// `POST /v1/links/{id}/redeem`: 200 with [`Tokens`] of a new device of the account. Works once; a repeat gives the same
    /// device as long as its tokens were not used.
    pub struct RedeemLink {
        /// What the blob held: 32 bytes.
        pub grant: Payload,
        pub device_name: String,
    }

    /// OAuth 2.0 token response (RFC 6749 section 5.1), with who it is for.
    pub struct Tokens {
        pub access_token: String,
        /// Always `Bearer`.
        pub token_type: String,
        pub expires_in: u64,
        pub refresh_token: String,
        pub account: AccountId,
        pub device: DeviceId,
    }

    /// `POST /v1/oauth/token`, form-encoded (RFC 6749 section 6): 200 with [`Tokens`]. The refresh token changes each
    /// time; the old one stays good until the new access token was used once, so a lost answer can be asked for again.
    pub struct Refresh {
        /// Always `refresh_token`.
        pub grant_type: String,
        pub refresh_token: String,
        /// A signature with the device's MLS signature key over the token (see [`crate::credential::refresh`]), in base64url
        /// without padding. With it an old refresh token is taken as that of a device whose database was put back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub proof: Option<String>,
    }

    /// `POST /v1/oauth/revoke`, form-encoded (RFC 7009): logs the device of this token out. Always 200.
    pub struct Revoke {
        pub token: String,
    }

    /// `GET /v1/me`
    pub struct Me {
        pub account: AccountId,
        pub device: DeviceId,
        /// The account's own number, E.164.
        pub phone: String,
    }

    /// `GET /v1/devices`: one's own devices; `DELETE /v1/devices/{id}` logs one out.
    pub struct Devices {
        pub devices: Vec<Device>,
    }

    pub struct Device {
        pub device: DeviceId,
        pub name: String,
        pub created_ms: u64,
        /// Whether this is the device that asks.
        pub current: bool,
    }

    /// `POST /v1/devices/{id}/revoke`: 204. Logs another device of one's own out for good, with the proof that the members
    /// of its conversations check. May be repeated.
    pub struct RevokeDevice {
        /// See [`crate::credential::revocation`].
        pub revocation: Payload,
    }

    /// `PUT /v1/devices/{id}`: 204. One of one's own gets another name.
    pub struct RenameDevice {
        pub name: String,
    }

    /// `PUT /v1/keys/credential`: 204. A credential whose identity key is not the account's present one replaces the
    /// identity: the account's other devices are logged out, and its contacts see that the safety number changed.
    pub struct PutCredential {
        /// See [`crate::credential`].
        pub credential: Payload,
    }

    /// `POST /v1/keys/packages`: 200 with [`KeyPackageCount`].
    pub struct PutKeyPackages {
        /// Each is given out once. MLS KeyPackage (RFC 9420 section 10).
        pub packages: Vec<Payload>,
        /// Given out, again and again, when there is no other left; replaces the previous one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_resort: Option<Payload>,
    }

    /// `GET /v1/keys/packages`
    pub struct KeyPackageCount {
        /// How many are left to be given out once.
        pub count: u32,
        pub last_resort: bool,
    }

    /// `GET /v1/accounts/{id}/devices`
    pub struct AccountDevices {
        pub account: AccountId,
        pub devices: Vec<DeviceCredential>,
    }

    pub struct DeviceCredential {
        pub device: DeviceId,
        pub credential: Payload,
    }

    /// `POST /v1/accounts/{id}/key-packages/claim`: one key package of each device that has a credential.
    pub struct Claimed {
        pub packages: Vec<ClaimedPackage>,
    }

    pub struct ClaimedPackage {
        pub device: DeviceId,
        pub package: Payload,
        pub last_resort: bool,
    }

    /// `POST /v1/contacts/lookup`: 200 with [`Found`].
    pub struct Lookup {
        /// E.164, at most [`crate::limit::LOOKUP_PHONES_MAX`].
        pub phones: Vec<String>,
    }

    pub struct Found {
        /// Only those that have an account.
        pub matches: Vec<Match>,
    }

    pub struct Match {
        pub phone: String,
        pub account: AccountId,
    }

    /// `POST /v1/conversations`: 201 with [`Created`]; 409 `exists` if somebody was faster. The commit has
    /// `change.create`, epoch 0, and the id that [`ConversationId::direct`] gives.
    pub struct Create {
        pub commit: Commit,
    }

    pub struct Created {
        pub conversation: ConversationId,
        pub seq: u64,
        pub time_ms: u64,
    }

    /// `GET /v1/conversations?after=&limit=`
    pub struct Conversations {
        pub conversations: Vec<Conversation>,
        /// Pass as `after` for the next page; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next: Option<ConversationId>,
    }

    /// `GET /v1/conversations/{id}`
    pub struct Conversation {
        pub conversation: ConversationId,
        pub kind: ConversationKind,
        /// The accounts in it, at most [`crate::limit::PARTICIPANTS_MAX`].
        pub members: Vec<AccountId>,
        /// Of a group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rules: Option<GroupRules>,
        pub epoch: u64,
        pub head: u64,
        /// Everybody's; in the list of conversations of a group only one's own.
        pub watermarks: Vec<Watermark>,
    }

    /// `PUT /v1/conversations/{id}/members`: 201 with [`Posted`]. Adds and removes people, several at once: a commit
    /// whose change says so. Without `added` and `removed` it is refused; else as `POST …/commits`.
    pub struct PutMembers {
        pub commit: Commit,
    }

    /// `POST /v1/conversations/{id}/leave`: 201 with [`Posted`]. Appends [`crate::entry::Body::Leave`]; the last admin
    /// of others has to name another one first.
    pub struct PostLeave {
        pub message_id: MessageId,
        pub epoch: u64,
        pub proof: LeaveProof,
    }

    /// `GET /v1/conversations/{id}/leave`: 200. Those who still have leaves although they left or were logged out, for a
    /// member's device that came in after that: the next commit has to take them out.
    pub struct Leavers {
        /// The epoch in which that is so.
        pub epoch: u64,
        pub left: Vec<LeaveProof>,
        /// Devices that were logged out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub gone: Vec<Sender>,
    }

    /// `POST /v1/conversations/{id}/join`: 200 with [`InvitePreview`]. What a link leads to.
    pub struct Join {
        pub proof: JoinProof,
    }

    pub struct InvitePreview {
        pub members: u32,
        pub approval: bool,
        /// One is a member already.
        pub member: bool,
    }

    /// `POST /v1/conversations/{id}/requests`, with [`Join`]: 202. Asks the admins to be let in; they find a
    /// [`crate::entry::Body::JoinRequest`] in their inboxes. Approved by adding the person, refused by
    /// `DELETE …/requests/{account}`. `GET …/requests`, for admins:
    pub struct JoinRequests {
        pub requests: Vec<JoinRequest>,
    }

    pub struct JoinRequest {
        pub account: AccountId,
        pub time_ms: u64,
    }

    /// `GET /v1/conversations/{id}/watermarks`: every member's, for message info.
    pub struct Watermarks {
        pub watermarks: Vec<Watermark>,
    }

    /// `GET` and `PUT /v1/me/privacy`. The first two are reciprocal: what one does not share one does not see of others.
    pub struct Privacy {
        /// Online and last seen.
        pub last_seen: Audience,
        /// Whether others see what one has read.
        pub read_receipts: bool,
        /// Who finds the account by its number.
        #[serde(default)]
        pub find_me: Audience,
        /// Who may add the account to groups. By a link, or having asked, one comes in whatever this says.
        #[serde(default)]
        pub add_me: Audience,
    }

    /// `PUT /v1/me/contacts`: 204. Who is meant by [`Audience::Contacts`]; empty deletes the list.
    pub struct PutContacts {
        /// At most [`crate::limit::CONTACTS_MAX`].
        pub accounts: Vec<AccountId>,
    }

    /// `GET /v1/conversations/{id}/group-info`: for an external commit. With `?commit=` (message id): as of that commit,
    /// for who was welcomed by it. Who is no member shows an invite: `POST …/group-info` with [`Join`].
    pub struct GroupInfo {
        pub epoch: u64,
        /// Seq of the commit that led to this epoch.
        pub commit_seq: u64,
        /// MLS GroupInfo (RFC 9420 section 12.4.3), as the commit had it.
        pub group_info: Payload,
        /// Of a group: the ratchet tree (RFC 9420 section 12.4.3.3).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tree: Option<Payload>,
        /// Devices that were logged out and still have leaves: the first commit after joining takes them out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub gone: Vec<Sender>,
    }

    /// `POST /v1/conversations/{id}/messages`: 201 with [`Posted`]; a repeat gives the same answer as the first time.
    pub struct Post {
        pub message_id: MessageId,
        pub epoch: u64,
        pub payload: Payload,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub silent: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_in_s: Option<u64>,
    }

    pub struct Posted {
        pub message_id: MessageId,
        pub seq: u64,
        pub time_ms: u64,
    }

    /// `GET /v1/conversations/{id}/messages?before=&after=&limit=`: ascending by seq, whichever way it pages.
    pub struct Messages {
        pub entries: Vec<Entry>,
        pub head: u64,
        pub oldest: u64,
    }

    /// `PUT /v1/conversations/{id}/receipts`: 204. Watermarks never run backwards; lower values are ignored.
    pub struct PutReceipts {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub delivered: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub read: Option<u64>,
    }

    /// `POST /v1/cursors`: 204. For those who poll; over the socket it is a frame.
    pub struct PutCursors {
        pub cursors: Vec<CursorAt>,
    }

    pub struct CursorAt {
        pub log: LogId,
        pub seq: u64,
    }

    /// `GET /v1/sync?wait=&limit=`: what this device has not confirmed with `POST /v1/cursors`. With `wait` (seconds) the
    /// answer comes as soon as there is something, else empty at the end of the wait.
    pub struct Synced {
        /// One page of each log that moved: the inbox first.
        pub pages: Vec<Page>,
        /// Logs that moved, with watermarks, as in the socket's plan.
        pub plan: Vec<PlanLog>,
        /// Nothing is left after these pages.
        pub caught_up: bool,
        pub now_ms: u64,
    }

    /// `GET /v1/blocks`; `PUT` and `DELETE /v1/blocks/{account}`: 204. What a blocked person sends in the direct
    /// conversation is kept from one's devices until they are unblocked; the blocked person sees one tick.
    pub struct Blocks {
        pub accounts: Vec<AccountId>,
    }
}

/// Whom something is shared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    #[default]
    Everyone,
    /// Those whom one has uploaded, [`PutContacts`].
    Contacts,
    Nobody,
}
