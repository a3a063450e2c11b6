//! The public side of a group's MLS state: what anybody can know who has seen all its commits.
//!
//! * [`PublicState`] follows one group: [`PublicState::begin`] from its origin, [`PublicState::verify`] says whether a
//!   commit does what it declares and keeps the rules, [`PublicState::apply`] takes it in. What has to hold is listed in
//!   docs/decisions/2026-11-21-groups.md.
//! * [`Groups`] keeps those that are in use in memory, one user at a time, bounded by bytes.
//! * Inside: `effect` (what a commit does, by MLS's own account), `group_info` (the GroupInfo beside a commit), `codec`
//!   (from and to bytes), `storage` (none: our rows are written by `conversation::group`).
//!
//! The only place of the server that knows OpenMLS. It looks at nothing but the bytes it is given: no store, no
//! directory, no clock but the caller's.

mod cache;
mod codec;
mod effect;
mod group_info;
mod state;
mod storage;

#[cfg(test)]
mod tests;

pub use cache::{Groups, Held, Slot};
pub use effect::{Done, Verified};
pub use state::PublicState;

use openmls::prelude::Ciphersuite;
use tidings_proto::group::Denied;

/// 0x004F: X25519 with ML-KEM-768 (X-Wing), AES-128-GCM, SHA-256, Ed25519.
const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;

/// Why a commit is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no commit that fits the group as it is now.
    #[error("the commit does not verify: {0}")]
    Invalid(String),
    /// It does something else than it says.
    #[error("what the commit declares is not what it does: {0}")]
    Undeclared(&'static str),
    /// The group's rules do not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The rows of this group cannot be read. Our fault.
    #[error("the group's public state is damaged: {0}")]
    Damaged(String),
}

impl Refusal {
    fn invalid(why: impl std::fmt::Display) -> Self {
        Self::Invalid(why.to_string())
    }
}
