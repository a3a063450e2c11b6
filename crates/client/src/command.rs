//! What a person or a program can ask of the core; the answers are in `reply`. Both are serde types: the terminal, the
//! agent and the browser's page use the same ones.

use crate::content::{Degrees, LinkPreview, Mention};
use crate::view;
use serde::{Deserialize, Serialize};
use tidings_proto::group::{InviteKey, Who};
use tidings_proto::http::Audience;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};
use tidings_proto::payload::Payload;

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// E.164. Looked up at the server the first time.
    Phone(String),
    Account(AccountId),
    /// Also a group.
    Conversation(ConversationId),
    /// The self chat.
    Me,
}

/// What opens a backup file: its lock and its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct FileHead {
    #[cfg_attr(test, ts(type = "string"))]
    pub lock: Payload,
    #[cfg_attr(test, ts(type = "string"))]
    pub manifest: Payload,
}

/// Somebody for one's address book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NewContact {
    /// E.164.
    pub phone: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
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
        /// If the number is locked: a login without it fails with `pin_required`, and the code stays good.
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        pin: Option<String>,
        /// The PIN was forgotten: the lock opens after some days.
        #[serde(default)]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        forgot_pin: bool,
    },
    /// On a device that is new: → `Reply::LinkCode`, which a person shows to an old device of the account.
    Link {
        device_name: String,
    },
    /// → `Reply::LoggedIn` once the old device approved the code; an error once it has expired.
    AwaitLink,
    /// On an old device: lets the one in that shows this code. → `Reply::Done`
    ApproveLink {
        code: String,
    },
    /// One's own devices. → `Reply::Devices`
    Devices,
    /// → `Reply::Done`
    RenameDevice {
        device: DeviceId,
        name: String,
    },
    /// Logs another device of one's own out, and takes it out of every conversation. → `Reply::Done`
    RevokeDevice {
        device: DeviceId,
    },
    /// As `Login`, for an account that may have a backup: → `Reply::SignedIn`; then `Restore`, `RestoreFromFile` or
    /// `StartAnew`.
    LoginToRestore {
        phone: String,
        code: String,
        device_name: String,
        /// If the number is locked: a login without it fails with `pin_required`, and the code stays good.
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        pin: Option<String>,
        /// The PIN was forgotten: the lock opens after some days.
        #[serde(default)]
        #[cfg_attr(test, ts(as = "Option<bool>", optional))]
        forgot_pin: bool,
    },
    /// With a new identity; history and contacts do not come back. → `Reply::LoggedIn`
    StartAnew,
    /// With the recovery code or passphrase of the backup at the server. → `Reply::LoggedIn`; history follows, see
    /// `Event::Transfer` and `Event::Restored`.
    Restore {
        secret: String,
    },
    /// On a device that is signed in without keys: brings the identity back. → `Reply::LoggedIn`, and then again: opens
    /// the file for its parts. → `Reply::FileOpened`
    RestoreFromFile {
        head: FileHead,
        secret: String,
    },
    /// Merges one chunk of the file that was opened. → `Reply::Done`
    RestorePart {
        index: u64,
        #[cfg_attr(test, ts(type = "string"))]
        bytes: Payload,
    },
    /// Chooses the secret of the account's backup, and begins it. `None`: a recovery code is made. → `Reply::BackupSecret`
    SetBackupSecret {
        passphrase: Option<String>,
    },
    /// The person still knows the recovery code or passphrase. → `Reply::Done`
    ProveBackupSecret {
        secret: String,
    },
    /// No backup is made any more, and the one at the server opens for nobody. → `Reply::Done`
    EndBackup,
    /// Now, instead of at its time. → `Reply::Backup` once it is complete
    BackUp,
    /// → `Reply::Backup`
    BackupStatus,
    /// The next part of a backup file; 0 begins one. → `Reply::FilePart`
    BackUpToFile {
        part: u64,
    },
    /// Log this device out at the server and wipe the database. → `Reply::Done`
    Logout,
    /// Deletes the account: leaves all groups, has the server forget everything, wipes the database. `phone`: the own
    /// number, as the person typed it. → `Reply::Done`
    DeleteAccount {
        phone: String,
        /// If the number is locked.
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        pin: Option<String>,
    },
    /// From now on a login on the number needs this PIN too, of at least four digits. → `Reply::Done`
    SetLock {
        pin: String,
    },
    /// → `Reply::Done`
    RemoveLock,
    /// → `Reply::Lock`
    LockStatus,
    /// Somebody said that they forgot the PIN ([`Event::LockReset`]): they do not get in. → `Reply::Done`
    ///
    /// [`Event::LockReset`]: crate::Event::LockReset
    EndLockReset,
    /// Tells those who run the server. They see the attached messages: these, or the `last` so many that others wrote.
    /// → `Reply::Reported`
    Report {
        who: Peer,
        reason: String,
        #[serde(default)]
        #[cfg_attr(test, ts(as = "Option<Vec<MessageId>>", optional))]
        messages: Vec<MessageId>,
        #[serde(default)]
        #[cfg_attr(test, ts(as = "Option<u32>", optional))]
        last: u32,
    },

    /// → `Reply::Queued` as soon as it is in the database (the clock); ticks come as events. The conversation is made
    /// on the first message to a person.
    Send {
        to: Peer,
        text: String,
        reply_to: Option<MessageId>,
        /// People of this conversation whom the text names.
        #[serde(default)]
        #[cfg_attr(test, ts(as = "Option<Vec<Mention>>", optional))]
        mentions: Vec<Mention>,
        /// What stands behind a link in the text, if the sender wants it shown.
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        preview: Option<Box<LinkPreview>>,
    },
    /// Says what this message says in another conversation, marked as forwarded. → `Reply::Queued`
    Forward {
        message: MessageId,
        to: Peer,
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
    /// For everyone; one's own messages, and as an admin of a group all. → `Reply::Queued`
    Delete {
        to: Peer,
        message: MessageId,
    },
    /// From this device only; nobody else learns it. → `Reply::Done`
    DeleteForMe {
        message: MessageId,
    },
    /// → `Reply::Queued`
    CreatePoll {
        to: Peer,
        question: String,
        options: Vec<String>,
        /// Several may be chosen.
        #[serde(default)]
        multiple: bool,
    },
    /// By their place in the poll, from 0; they replace earlier ones, and none take the vote back. → `Reply::Queued`
    Vote {
        poll: MessageId,
        choices: Vec<u32>,
    },
    /// → `Reply::Queued`
    SendLocation {
        to: Peer,
        latitude: Degrees,
        longitude: Degrees,
        #[serde(default)]
        name: Option<String>,
    },
    /// Somebody's number. → `Reply::Queued`
    SendContact {
        to: Peer,
        name: String,
        phone: String,
    },
    /// How one wants to be called, a line about oneself, a picture; told to everybody one talks to. What is absent stays,
    /// empty takes it away. → `Reply::Done`
    SetProfile {
        name: Option<String>,
        about: Option<String>,
        /// WebP, JPEG or PNG of at most 24 KiB.
        #[serde(default)]
        #[cfg_attr(test, ts(type = "string | null", optional))]
        picture: Option<Payload>,
    },
    /// One's own. → `Reply::Profile`
    Profile,
    /// The picture of a group or of a person. → `Reply::Picture`
    Picture {
        of: Peer,
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

    /// Makes a group with oneself as its admin. → `Reply::Conversation` once it is in the log.
    CreateGroup {
        name: String,
        members: Vec<Peer>,
    },
    /// → `Reply::Done` once it is in the log, as with all changes of a group; they are durable, and done again and again
    /// until they are settled. Who has no device or no account is named in the error; the others
    /// are added.
    AddMembers {
        group: Peer,
        members: Vec<Peer>,
    },
    RemoveMembers {
        group: Peer,
        members: Vec<Peer>,
    },
    SetAdmin {
        group: Peer,
        who: Peer,
        on: bool,
    },
    SetRules {
        group: Peer,
        posting: Option<Who>,
        editing: Option<Who>,
        adding: Option<Who>,
    },
    /// A banned person is removed, and cannot come in again by whatever way.
    Ban {
        group: Peer,
        who: Peer,
        on: bool,
    },
    /// The last admin names the member who is there longest first.
    Leave {
        group: Peer,
    },
    /// → `Reply::Invite`. `approval`: an admin has to let people in who come by it.
    CreateInvite {
        group: Peer,
        expires_in_s: Option<u64>,
        approval: bool,
    },
    RevokeInvite {
        group: Peer,
        key: InviteKey,
    },
    /// → `Reply::Conversation`, or `Reply::JoinRequested` if an admin has to approve it.
    JoinByInvite {
        token: String,
    },
    /// Who waits to be let in; for admins. → `Reply::JoinRequests`
    JoinRequests {
        group: Peer,
    },
    AnswerJoinRequest {
        group: Peer,
        who: Peer,
        approve: bool,
    },
    /// What is absent stays; an empty description or picture takes it away. For those who may edit the group.
    /// → `Reply::Queued`, or `Reply::Done` if it is so already
    SetGroupProfile {
        group: Peer,
        name: Option<String>,
        description: Option<String>,
        /// WebP, JPEG or PNG of at most 24 KiB.
        #[serde(default)]
        #[cfg_attr(test, ts(type = "string | null", optional))]
        picture: Option<Payload>,
    },
    /// → `Reply::Group`
    GroupInfo {
        group: Peer,
    },

    /// To find it again; only oneself knows. → `Reply::Done`, as with all that one keeps about chats for oneself.
    Star {
        message: MessageId,
        on: bool,
    },
    /// The starred messages, of one conversation or of all; starred last first. → `Reply::Messages`
    Starred {
        of: Option<Peer>,
    },
    /// At the top of the chat, for everybody in it. In a group for those who may edit it. → `Reply::Queued`
    Pin {
        message: MessageId,
        on: bool,
    },
    /// The pinned messages, pinned last first. → `Reply::Messages`
    Pinned {
        of: Peer,
    },
    /// Nothing rings until then; `None` unmutes, [`view::FOR_EVER_MS`] is for ever.
    Mute {
        of: Peer,
        until_ms: Option<u64>,
    },
    /// Out of sight until a new message comes; of a muted conversation for good.
    Archive {
        of: Peer,
        on: bool,
    },
    /// At the top of one's own list; a few of them, [`view::PINNED_CONVERSATIONS_MAX`].
    PinConversation {
        of: Peer,
        on: bool,
    },
    /// To come back to it; reading on ends it.
    MarkUnread {
        of: Peer,
    },
    /// What was written and not sent; empty throws it away.
    SetDraft {
        of: Peer,
        text: String,
    },

    /// What is said from then on disappears so long after it was sent, everywhere; `None`: it stays. In a group for those
    /// who may edit it. → `Reply::Queued`, or `Reply::Done` if it is so already
    SetTimer {
        of: Peer,
        seconds: Option<u64>,
    },
    /// The person looks at this chat now, or at the app without one: shows them as online, and lets [`Event`] tell of the
    /// person in it. Holds for a while ([`LOOK_LIFETIME_MS`]): say it again every [`LOOK_RENEW_MS`]. → `Reply::Done`
    ///
    /// [`Event`]: crate::Event::PresenceChanged
    /// [`LOOK_LIFETIME_MS`]: crate::event::LOOK_LIFETIME_MS
    /// [`LOOK_RENEW_MS`]: crate::event::LOOK_RENEW_MS
    OpenChat {
        of: Option<Peer>,
    },
    /// Not any more: it was closed, or is out of sight. → `Reply::Done`
    CloseChat {
        of: Option<Peer>,
    },
    /// Asks the server once how somebody is. → `Reply::Presence`
    Presence {
        who: Peer,
    },
    /// Puts people into one's address book, or gives them other names; all of them or none. → `Reply::ContactsAdded`
    AddContacts {
        contacts: Vec<NewContact>,
    },
    /// Takes a number out of it. → `Reply::Done`
    RemoveContact {
        phone: String,
    },
    /// The address book, by name. → `Reply::Contacts`
    Contacts,
    /// As `Contacts`, after the server was asked about those of whom it is not known whether they are here. What was found
    /// before an error stays: `rate_limited` says when to go on.
    FindContacts,
    /// Reads a vCard file, and does nothing else: show it, then `AddContacts`. → `Reply::Vcard`
    ReadVcard {
        #[cfg_attr(test, ts(type = "string"))]
        file: Payload,
    },
    /// What one shares of oneself, and so sees of others. → `Reply::Privacy`
    Privacy,
    /// What is absent stays as it is. → `Reply::Privacy`
    SetPrivacy {
        last_seen: Option<Audience>,
        read_receipts: Option<bool>,
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        find_me: Option<Audience>,
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        add_me: Option<Audience>,
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        picture: Option<Audience>,
        #[serde(default)]
        #[cfg_attr(test, ts(optional = nullable))]
        about: Option<Audience>,
    },

    /// → `Reply::Status`
    Status,
    /// Pinned first, then most recently active first; the archived ones too. → `Reply::Conversations`
    Conversations,
    /// Ascending; the newest `limit` before `before`, or the newest of all. → `Reply::Messages`
    Messages {
        of: Peer,
        before: Option<view::Position>,
        limit: u32,
    },
    /// What follows after a place: with [`Command::MessagesAround`], to go on from a message that was found. Ascending.
    /// → `Reply::Messages`
    MessagesAfter {
        of: Peer,
        after: view::Position,
        limit: u32,
    },
    /// The message and what stands around it, half of `limit` on either side. Ascending. → `Reply::Messages`
    MessagesAround {
        message: MessageId,
        limit: u32,
    },
    /// In the texts that this device has, of one conversation or of all: messages in which all words occur, or words that
    /// begin like them. Ascending by time; the newest `limit` before the message `before`, or of all. → `Reply::Messages`
    Search {
        text: String,
        of: Option<Peer>,
        before: Option<MessageId>,
        limit: u32,
    },
    /// → `Reply::Message`
    Message {
        id: MessageId,
    },
    /// Of one's own message: who has it and who has read it, as far as the server and this device know. → `Reply::MessageInfo`
    MessageInfo {
        message: MessageId,
    },
}

impl Command {
    /// Sends a text and nothing else.
    pub fn text(to: Peer, text: impl Into<String>, reply_to: Option<MessageId>) -> Self {
        Self::Send { to, text: text.into(), reply_to, mentions: Vec::new(), preview: None }
    }
}
