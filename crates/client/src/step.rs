//! What the handling of one input may touch: the open transaction, the state in memory, time, chance, and the outputs
//! that are carried out after the commit.

use crate::db::DbError;
use crate::error::ClientError;
use crate::event::Event;
use crate::io::{CallId, Output};
use crate::memory::{Me, Memory};
use crate::mls::{Mls, MlsError};
use crate::reply::Reply;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use rusqlite::Connection;
use tidings_proto::frame::ClientFrame;
use tidings_proto::id::MessageId;

/// The first wait before something is tried again, and the longest.
const RETRY_FIRST_MS: u64 = 500;
const RETRY_MAX_MS: u64 = 60_000;
/// The longest wait that a server can ask for.
const RETRY_ASKED_MAX_MS: u64 = 3_600_000;

pub(crate) struct Step<'a> {
    pub tx: &'a Connection,
    pub mem: &'a mut Memory,
    pub rng: &'a mut ChaCha20Rng,
    /// How this person wants to be called.
    pub name: Option<&'a str>,
    pub now_ms: u64,
    pub out: Vec<Output>,
}

/// Why the handling of an input ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The command cannot be done; nothing was written.
    Tell(ClientError),
    /// The transaction cannot be trusted: roll back.
    Fault(String),
    /// This device is out: wipe the database.
    LoggedOut { why: String },
}

pub(crate) type Done = Result<(), Stop>;

impl Step<'_> {
    pub fn me(&self) -> Result<&Me, Stop> {
        self.mem.me.as_ref().ok_or(Stop::Tell(ClientError::NotLoggedIn))
    }

    pub fn mls(&self) -> Result<&Mls, Stop> {
        Ok(&self.me()?.mls)
    }

    pub fn now_s(&self) -> u64 {
        self.now_ms / 1_000
    }

    /// Each event once per input.
    pub fn event(&mut self, event: Event) {
        let said = self.out.iter().any(|output| matches!(output, Output::Event(other) if *other == event));
        if !said {
            self.out.push(Output::Event(event));
        }
    }

    pub fn reply(&mut self, id: CallId, result: Result<Reply, ClientError>) {
        self.out.push(Output::Reply { id, result });
    }

    /// Only while the connection is open. `owed`: the server answers it.
    pub fn send(&mut self, frame: ClientFrame, owed: bool) {
        if owed && self.mem.session.owed_since_ms.is_none() {
            self.mem.session.owed_since_ms = Some(self.now_ms);
        }
        self.out.push(Output::Send(frame));
    }

    pub fn fresh_id(&mut self) -> MessageId {
        let mut random = [0; 10];
        self.rng.fill_bytes(&mut random);
        MessageId::new(self.now_ms, random)
    }

    /// When to try again after so many attempts: doubled each time up to a bound, and never two clients at once.
    pub fn retry_at(&mut self, attempts: u32, at_least_ms: Option<u64>) -> u64 {
        let wait = RETRY_FIRST_MS.saturating_mul(1 << attempts.min(16)).min(RETRY_MAX_MS);
        let jittered = wait / 2 + self.rng.next_u64() % (wait / 2 + 1);
        self.now_ms + jittered.max(at_least_ms.unwrap_or(0).min(RETRY_ASKED_MAX_MS))
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Tell(error)
    }
}

impl From<DbError> for Stop {
    fn from(error: DbError) -> Self {
        Self::Fault(error.to_string())
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        DbError::from(error).into()
    }
}

/// For calls that fail only with the database or by a fault of this program; other failures are matched where they
/// come up.
impl From<MlsError> for Stop {
    fn from(error: MlsError) -> Self {
        Self::Fault(error.to_string())
    }
}
