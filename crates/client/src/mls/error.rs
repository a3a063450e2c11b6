//! What can go wrong in a group, and what to do next.

use crate::db::DbError;
use tidings_proto::entry::Sender;

#[derive(Debug, thiserror::Error)]
pub enum MlsError {
    /// This device has no group for the conversation (any more): take a welcome, or rejoin by external commit.
    #[error("this device has no group for that conversation")]
    NoGroup,
    /// The own external commit is not known to be in the log: settle that first (`merge_pending`, `drop_pending`).
    #[error("this device's own external commit is not settled yet")]
    Joining,
    /// There is an own commit already: settle that first (`merge_pending`, `drop_pending`).
    #[error("there is an own commit that is not settled yet")]
    PendingCommit,
    /// This device was removed: nothing more can be read; delete the group, and join again if that is allowed.
    #[error("this device was removed from the group")]
    Removed,
    /// Of an older epoch than the group: it can never be read here; go on. Of a newer one: a commit is missing; read
    /// the log, and rejoin if it has no more.
    #[error("made for epoch {message}, but the group is at {group}")]
    WrongEpoch { message: u64, group: u64 },
    /// Processed before: go on.
    #[error("this was processed before")]
    Replay,
    /// Never readable on this device: show that something is missing, and go on.
    #[error("this device cannot decrypt it: {why}")]
    Undecryptable { why: String },
    /// Against the rules, or not of the documented form. A message: go on without it. A commit that is in the log: the
    /// group cannot go on here; rejoin by external commit. A welcome: void.
    #[error("not valid: {why}")]
    Invalid { why: String },
    /// A group's commit that its rules forbid, or that is not what the server says it is. It is in the log all the same,
    /// so the server does not keep the rules either: follow the group no further.
    #[error("against the rules of the group: {why}")]
    Denied { why: String },
    /// The key package of this device does not verify, is too old, or belongs to somebody else: leave it out.
    #[error("the key package of {} is not valid: {why}", device.device)]
    BadKeyPackage { device: Sender, why: String },
    /// The welcome is for a key package that this device has used or deleted: rejoin by external commit.
    #[error("the welcome is for a key package that is not here (any more)")]
    NoKeyPackage,
    /// The welcome leads to a group that this device has left behind: ignore it.
    #[error("the welcome leads to epoch {welcome}, but the group is at {group} already")]
    StaleWelcome { welcome: u64, group: u64 },
    /// Nothing of the call took effect; the state machine stops.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A fault in this program or in OpenMLS. Nothing of the call took effect.
    #[error("MLS: {0}")]
    Internal(String),
}

impl From<rusqlite::Error> for MlsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl MlsError {
    pub(super) fn invalid(why: impl std::fmt::Display) -> Self {
        Self::Invalid { why: why.to_string() }
    }

    pub(super) fn internal(why: impl std::fmt::Debug) -> Self {
        Self::Internal(format!("{why:?}"))
    }
}
