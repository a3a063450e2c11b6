//! Why a command failed, and what to do next.

use crate::view::Person;
use serde::{Deserialize, Serialize};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Code;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ClientError {
    /// Log in first.
    #[error("this device is not logged in: register and log in first")]
    NotLoggedIn,
    #[error("this device is already logged in; log out first")]
    AlreadyLoggedIn,
    /// Nobody with this number uses this server.
    #[error("nobody with the number {phone} uses this server")]
    NoSuchPerson { phone: String },
    #[error("there is no such conversation here")]
    NoSuchConversation,
    #[error("there is no such message here")]
    NoSuchMessage,
    /// Only one's own messages can be edited or deleted, and only texts edited.
    #[error("{why}")]
    NotAllowed { why: String },
    #[error("the message is too long: {bytes} bytes, at most {max}")]
    TooLong { bytes: usize, max: usize },
    /// The rest is done. Make an invite link (`Command::CreateInvite`) and send it to them.
    #[error("{} cannot be added by you: send an invite link instead", names(.who))]
    InviteNeeded { conversation: ConversationId, who: Vec<Person> },
    /// The server could not be reached: try again when there is a network.
    #[error("the server cannot be reached")]
    Offline,
    /// The server said no; the code says what to do.
    #[error("{detail}")]
    Refused { code: Code, detail: String, retry_after_ms: Option<u64> },
    /// The database failed; nothing of this command took effect.
    #[error("the local database failed: {detail}")]
    Database { detail: String },
}

fn names(people: &[Person]) -> String {
    people.iter().map(|person| person.title.as_str()).collect::<Vec<_>>().join(", ")
}
