//! Groups: create, commit, leave, invites, requests to join.
//!
//! A group's commits are verified against its public MLS state ([`crate::public_group`]) and its rules, one at a time: who
//! holds the group's slot is the only one on this node who changes its membership. What has to hold stands in
//! docs/decisions/2026-11-21-groups.md.
//!
//! * `commit`, `create`, `leave`: the entries that change the membership. * `check`: what only the server can know.
//! * `rows`: GroupInfo and trees on the disk. * `members`, `join`, `request`: further endpoints.

mod check;
pub mod commit;
mod consent;
pub mod create;
pub mod join;
pub mod leave;
pub mod members;
pub mod request;
pub mod rows;

use crate::conversation::append::lost;
use crate::error::{Error, Result};
use crate::public_group::Refusal;
use tidings_proto::group::Denied;
use tidings_proto::problem::Code;

/// MLS work on this much is given to a thread of its own; less takes a few milliseconds.
const LARGE_BYTES: usize = 64 * 1024;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Invalid(_) | Refusal::Undeclared(_) => Code::BadRequest,
            Refusal::Denied(denied) => return (*denied).into(),
            Refusal::Damaged(why) => {
                tracing::error!(why, "a group's rows are damaged");
                Code::Internal
            }
        };
        Error::new(code, refusal.to_string())
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::NotMember | Denied::NotAdmin | Denied::Banned | Denied::BadInvite | Denied::NoAdmin => {
                Code::Forbidden
            }
            Denied::ApprovalNeeded => Code::ApprovalNeeded,
            Denied::NotOnlyJoining | Denied::BadLeave | Denied::BadRules => Code::BadRequest,
        };
        Error::new(code, denied.to_string())
    }
}

/// Runs MLS work; on a thread of its own if there is much of it.
async fn work<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if bytes < LARGE_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| lost())
}
