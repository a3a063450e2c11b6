//! All state that is not in the database, on one page. Losing it costs a new connection and nothing else: every room
//! rebuilds its part from the tables.

use crate::address_book::share;
use crate::archive::{import, send};
use crate::backup;
use crate::command::Command;
use crate::event::Connection;
use crate::group::claim::Claims;
use crate::io::{CallId, HttpBody, Method};
use crate::link::wait::Waiting;
use crate::mls::Mls;
use crate::own;
use crate::presence::Screen;
use crate::presence::privacy::Wanted;
use std::collections::{BTreeMap, VecDeque};
use tidings_proto::entry::Sender;
use tidings_proto::http::{ClaimedPackage, Privacy};
use tidings_proto::id::{AccountId, BlobId, ConversationId, DeviceId, LogId, MessageId};

#[derive(Default)]
pub(crate) struct Memory {
    /// Messages were deleted whose traces are to go after the commit.
    pub scrub: bool,
    /// Who this device is, once it is logged in.
    pub me: Option<Me>,
    pub session: Session,
    pub requests: Requests,
    pub logs: Logs,
    pub in_flight: InFlight,
    pub unsent: Unsent,
    /// The login that waits until its keys are at the server.
    pub login: Option<CallId>,
    /// Commands that wait for a look-up, or for another change of blocks.
    pub waiting: Vec<(CallId, Command)>,
    pub groups: Groups,
    /// This device shows a code, and waits to be linked.
    pub link: Option<Waiting>,
    pub backup: backup::State,
    pub own: own::State,
    /// History on its way to new devices, by the first manifest's name.
    pub histories: BTreeMap<BlobId, send::Round>,
    pub screen: Screen,
}

/// This device.
pub(crate) struct Me {
    pub sender: Sender,
    pub phone: String,
    pub mls: Mls,
}

/// session.rs: the live connection.
#[derive(Default)]
pub(crate) struct Session {
    pub line: Line,
    /// Attempts since the last connection that worked.
    pub attempts: u32,
    /// When the server last answered something that it owed, or when the oldest such question was put.
    pub owed_since_ms: Option<u64>,
    /// The clock of the plan that is being worked off.
    pub plan_now_ms: Option<u64>,
    pub told: Option<Connection>,
    /// What the last `WakeAt` said.
    pub wake_at_ms: Option<u64>,
    pub ping: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Line {
    /// No connection is wanted: not logged in.
    #[default]
    Off,
    /// Try again then.
    Waiting {
        until_ms: u64,
    },
    /// Waits for an access token; then connects.
    Token,
    Connecting {
        by_ms: u64,
    },
    /// `hello` is said, the plan is not complete.
    Hello {
        by_ms: u64,
    },
    /// The plan is complete.
    Up {
        heard_ms: u64,
        pinged_ms: Option<u64>,
    },
}

/// http: questions that wait for an answer.
#[derive(Default)]
pub(crate) struct Requests {
    /// Never reused, also not after a reset: a late answer must not meet a new question.
    pub next: CallId,
    pub open: BTreeMap<CallId, Call>,
    /// Wait for a token.
    pub parked: Vec<Call>,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub purpose: Purpose,
    pub method: Method,
    pub path: String,
    pub body: HttpBody,
    /// Carries the access token.
    pub signed: bool,
    /// Was repeated with a new token already.
    pub repeated: bool,
}

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Register {
        reply: CallId,
    },
    Login {
        reply: CallId,
        phone: String,
    },
    Refresh,
    Revoke {
        reply: CallId,
    },
    OpenLink {
        reply: CallId,
        device_name: String,
    },
    LookForLink,
    RedeemLink,
    ApproveLink {
        reply: CallId,
        history: BlobId,
    },
    Devices {
        reply: CallId,
    },
    RenameDevice {
        reply: CallId,
    },
    RevokeDevice {
        reply: CallId,
        device: DeviceId,
    },
    Credential,
    Packages,
    PackageCount,
    Blocks,
    /// Whose number is it? Then go on with the commands that wait for it.
    Lookup {
        phone: String,
    },
    /// Is the number that somebody claims really theirs?
    ConfirmPhone {
        account: AccountId,
        phone: String,
    },
    /// A person's identity key, for the commands that wait for it.
    Identity {
        account: AccountId,
    },
    SetBlock {
        reply: CallId,
        account: AccountId,
        blocked: bool,
    },
    OwnDevices {
        conversation: ConversationId,
        peer: AccountId,
    },
    /// Key packages of the other person's devices; those of one's own other devices are here already.
    Claim {
        conversation: ConversationId,
        peer: AccountId,
        own: Vec<ClaimedPackage>,
    },
    ClaimOwn {
        conversation: ConversationId,
        peer: AccountId,
    },
    Create {
        conversation: ConversationId,
    },
    GroupInfo {
        conversation: ConversationId,
    },
    /// The tree as of the commit that a welcome belongs to.
    WelcomeInfo {
        conversation: ConversationId,
        commit: MessageId,
    },
    GroupClaim {
        conversation: ConversationId,
        account: AccountId,
    },
    Leave {
        conversation: ConversationId,
    },
    /// Who left before this device came in.
    Leavers {
        conversation: ConversationId,
    },
    InvitePreview {
        reply: CallId,
        conversation: ConversationId,
        secret: [u8; 32],
    },
    AskToJoin {
        reply: CallId,
    },
    JoinRequests {
        reply: CallId,
    },
    RefuseRequest {
        reply: CallId,
    },
    /// For message info.
    Watermarks {
        reply: CallId,
        conversation: ConversationId,
        message: MessageId,
    },
    Backup(backup::Ask),
    Own(own::Ask),
    Import(import::Ask),
    History(send::Ask),
    Privacy {
        reply: CallId,
        wanted: Wanted,
    },
    SetPrivacy {
        reply: CallId,
        wanted: Wanted,
        privacy: Privacy,
    },
    ShareContacts(share::Ask),
    Presence {
        reply: CallId,
    },
    /// Who of the address book is here? Then go on with the next ones.
    FindContacts {
        reply: CallId,
        phones: Vec<String>,
    },
    /// Whose numbers are they? Then go on with the commands that wait for them.
    Lookups {
        phones: Vec<String>,
    },
}

/// catch_up.rs: which logs are behind.
#[derive(Default)]
pub(crate) struct Logs {
    pub logs: BTreeMap<LogId, LogState>,
    pub queue: VecDeque<LogId>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogState {
    /// Highest seq that was announced.
    pub head: u64,
    /// What came before is not to be had any more, as the plan said.
    pub oldest: u64,
    /// A `Sync` after this seq waits for its page.
    pub asked: Option<u64>,
    pub hold: Option<Hold>,
}

/// Why a log is not read on for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// A welcome may still be in the inbox.
    Inbox,
    /// The inbox was read to its end meanwhile: read on, with or without a welcome.
    InboxRead,
    /// This device is not in the group yet; what comes before its own external commit it cannot read.
    Join,
}

/// outbox.rs: what waits for `appended` or `refused` on this connection.
#[derive(Default)]
pub(crate) struct InFlight {
    pub appends: BTreeMap<MessageId, ConversationId>,
    pub commits: BTreeMap<ConversationId, MessageId>,
    /// Commits that stand in the log, above what was read of it: they take effect once they are read.
    pub placed: BTreeMap<ConversationId, MessageId>,
}

/// group: who waits for a change of a group, and what was claimed for it.
#[derive(Default)]
pub(crate) struct Groups {
    /// By the intent's number.
    pub replies: BTreeMap<i64, CallId>,
    pub claims: BTreeMap<ConversationId, Claims>,
    /// People whom an intent cannot add, for they have no device.
    pub left_out: BTreeMap<i64, Vec<AccountId>>,
    /// People whom an intent cannot add, for they do not allow it.
    pub invite_needed: BTreeMap<i64, Vec<AccountId>>,
    /// Numbers that a command named and nobody has.
    pub unknown: BTreeMap<CallId, Vec<String>>,
    /// Who waits to come in by a link.
    pub joining: BTreeMap<ConversationId, Vec<CallId>>,
}

/// receipt.rs: what the server is to be told after the commit.
#[derive(Default)]
pub(crate) struct Unsent {
    pub cursors: BTreeMap<LogId, u64>,
    /// Cursors that moved by own messages only: nobody waits for them.
    pub lazy_cursors: BTreeMap<LogId, u64>,
    pub lazy_due_ms: Option<u64>,
    pub reads: BTreeMap<ConversationId, u64>,
    /// Told since the last ping, and before it.
    pub told: BTreeMap<ConversationId, Told>,
    pub told_before_ping: BTreeMap<ConversationId, Told>,
    /// A pong came since: the server has heard it, the last of it before this time.
    pub heard: BTreeMap<ConversationId, Told>,
    pub heard_ms: u64,
    /// The next pong will say that it is written.
    pub written: BTreeMap<ConversationId, Told>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    pub cursor: u64,
    pub read: u64,
}

impl Requests {
    pub fn count(&self, which: impl Fn(&Purpose) -> bool) -> usize {
        self.open.values().chain(&self.parked).filter(|call| which(&call.purpose)).count()
    }

    pub fn is_open(&self, which: impl Fn(&Purpose) -> bool) -> bool {
        self.open.values().chain(&self.parked).any(|call| which(&call.purpose))
    }
}

impl Logs {
    /// The log has entries up to `head`; read what is missing.
    pub fn behind(&mut self, log: LogId, head: u64) {
        let state = self.logs.entry(log).or_default();
        state.head = state.head.max(head);
        if state.asked.is_none() && !self.queue.contains(&log) {
            self.queue.push_back(log);
        }
    }

    pub fn hold(&mut self, log: LogId, hold: Option<Hold>) {
        self.logs.entry(log).or_default().hold = hold;
    }

    pub fn held(&self, log: LogId) -> Option<Hold> {
        self.logs.get(&log).and_then(|state| state.hold)
    }

    /// A page of it is asked for, or will be.
    pub fn is_reading(&self, log: LogId) -> bool {
        self.queue.contains(&log) || self.logs.get(&log).is_some_and(|state| state.asked.is_some())
    }
}

impl Session {
    pub fn is_up(&self) -> bool {
        matches!(self.line, Line::Up { .. })
    }

    /// Frames may be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.line, Line::Up { .. } | Line::Hello { .. })
    }
}
