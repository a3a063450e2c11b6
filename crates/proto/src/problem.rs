//! The closed set of errors, and the problem document (RFC 9457) that carries one over HTTP.
//!
//! Each code says what to do next: [`Code::next`]. Servers map their own errors to a code in one place; clients decide
//! by the code alone and show `detail` to people.

use crate::id::AccountId;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $next:ident;)*) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// As it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The HTTP status that it goes with.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }

            pub const fn next(self) -> Next {
                match self { $(Code::$name => Next::$next,)* }
            }
        }
    };
}

/// What the caller does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same request may succeed later; wait for the time given, or back off.
    Retry,
    /// Get a new access token (or log in), then repeat the request.
    Authenticate,
    /// Read the log to its head, then try again with what it says.
    Sync,
    /// The person has to change something.
    Tell,
    /// The request will never succeed as it is; a program should not repeat it.
    GiveUp,
}

codes! {
    /// The request is not of the documented form.
    BadRequest = "bad_request", 400, GiveUp;
    /// No token, or one that is not valid any more.
    Unauthorized = "unauthorized", 401, Authenticate;
    /// The refresh token is not valid (RFC 6749 section 5.2): log in again.
    InvalidGrant = "invalid_grant", 400, Tell;
    /// This device was logged out, or its account is gone: log in again.
    LoggedOut = "logged_out", 401, Tell;
    /// Signed in, but not allowed.
    Forbidden = "forbidden", 403, GiveUp;
    /// No such thing, or not for you.
    NotFound = "not_found", 404, GiveUp;
    MethodNotAllowed = "method_not_allowed", 405, GiveUp;
    /// Somebody was faster: the conversation exists. Read its log.
    Exists = "exists", 409, Sync;
    /// The group has as many people as it may have.
    GroupFull = "group_full", 409, Tell;
    /// Somebody left: a commit has to take their devices out before anything else is sent.
    CommitFirst = "commit_first", 409, Sync;
    /// Somebody does not let this account add them to a group (`accounts` says who): send them an invite link.
    InviteNeeded = "invite_needed", 403, Tell;
    /// An admin has to approve it: ask to be let in.
    ApprovalNeeded = "approval_needed", 403, Tell;
    /// The conversation's epoch is another one: read the log, re-encrypt, send again under the same message id.
    StaleEpoch = "stale_epoch", 409, Sync;
    /// The same message id was used for something else.
    Conflict = "conflict", 409, GiveUp;
    /// A size or count is over its limit.
    TooLarge = "too_large", 413, GiveUp;
    UnsupportedMediaType = "unsupported_media_type", 415, GiveUp;
    /// Too many requests; wait.
    RateLimited = "rate_limited", 429, Retry;
    /// The phone number is not a valid E.164 number.
    InvalidPhone = "invalid_phone", 422, Tell;
    /// The code is wrong or has expired.
    InvalidCode = "invalid_code", 422, Tell;
    /// The number is locked: a PIN is needed besides the code. `retry_after_ms`: after so long it is not, if it was forgotten.
    PinRequired = "pin_required", 403, Tell;
    /// Not the PIN of this number.
    WrongPin = "wrong_pin", 422, Tell;
    /// A key package or credential does not verify.
    InvalidKey = "invalid_key", 422, GiveUp;
    /// The account has as much stored here as it may have.
    QuotaFull = "quota_full", 409, Tell;
    /// Not the secret of this backup.
    WrongPassphrase = "wrong_passphrase", 422, Tell;
    /// You have blocked this person; unblock first.
    Blocked = "blocked", 403, Tell;
    /// The other person has no device that can receive.
    NoDevice = "no_device", 409, Retry;
    /// The server is overloaded and took nothing; wait.
    Overloaded = "overloaded", 503, Retry;
    /// The server is going down; come back.
    ShuttingDown = "shutting_down", 503, Retry;
    /// The code could not be sent.
    SmsFailed = "sms_failed", 502, Retry;
    /// This device connected again elsewhere; this connection ends.
    Replaced = "replaced", 409, GiveUp;
    /// The connection was silent, or read too slowly, for too long.
    Timeout = "timeout", 408, Retry;
    /// Our fault. Nothing was promised; try again later.
    Internal = "internal", 500, Retry;
}

/// RFC 9457, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `/docs/errors#code`, relative to the server.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// With `stale_epoch` and `exists`: the conversation's epoch and head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<u64>,
    /// With `invite_needed`: who.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
    /// RFC 6749 section 5.2, on the token endpoint only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/docs/errors#{}", code.as_str()),
            title: code.as_str().replace('_', " "),
            status: code.status(),
            detail: detail.into(),
            code,
            retry_after_ms: None,
            epoch: None,
            head: None,
            accounts: Vec::new(),
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_names_and_statuses() {
        let table: Vec<String> =
            Code::ALL.iter().map(|code| format!("{} {} {:?}", code.status(), code.as_str(), code.next())).collect();
        insta::assert_snapshot!("codes", table.join("\n"));
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).expect("a code serializes"), code.as_str());
        }
    }

    #[test]
    fn a_problem_is_a_problem_document() {
        let mut problem = Problem::new(Code::RateLimited, "Too many codes for this number.");
        problem.retry_after_ms = Some(30_000);
        insta::assert_json_snapshot!("problem", problem);
    }
}
