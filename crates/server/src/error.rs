//! The one error of the services, and its one way onto the wire.
//!
//! A room returns `Result<_, Error>`; it leaves as a problem document (HTTP, [`respond`]), a `refused` or a `goodbye`
//! frame (socket). `detail` is for people and never contains secrets or other people's data.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use tidings_proto::id::AccountId;
use tidings_proto::problem::{Code, Problem};
use tidings_store::{CommitError, StoreError};

/// What the caller gets to know. The code decides what it does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Error {
    pub code: Code,
    pub detail: String,
    pub retry_after_ms: Option<u64>,
    /// With `stale_epoch` and `exists`.
    pub epoch: Option<u64>,
    pub head: Option<u64>,
    /// With `invite_needed`.
    pub accounts: Vec<AccountId>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_ms: None, epoch: None, head: None, accounts: Vec::new() }
    }

    pub fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// The conversation's present epoch and head.
    pub fn at(mut self, epoch: u64, head: u64) -> Self {
        self.epoch = Some(epoch);
        self.head = Some(head);
        self
    }

    /// Whom it is about.
    pub fn about(mut self, accounts: Vec<AccountId>) -> Self {
        self.accounts = accounts;
        self
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}, or it is not for you."))
    }
}

/// How long a client waits after `overloaded`.
const OVERLOADED_RETRY_MS: u64 = 1_000;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded => {
                Self::new(Code::Overloaded, "The server has too much to write; nothing was stored.")
                    .retry_after_ms(OVERLOADED_RETRY_MS)
            }
            StoreError::Unavailable(_) | StoreError::Damaged(_) => {
                tracing::error!(%error, "the store failed");
                Self::new(Code::Internal, "The server could not reach its storage.")
            }
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            // Rooms handle the conflicts that they expect; one that gets here lost a race that nobody foresaw.
            CommitError::Conflict(_) => Self::new(Code::Overloaded, "Somebody changed the same thing; try again.")
                .retry_after_ms(OVERLOADED_RETRY_MS),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Problem::new(error.code, error.detail);
        if error.code == Code::InvalidGrant {
            problem.error = Some("invalid_grant".into());
        }
        problem.retry_after_ms = error.retry_after_ms;
        problem.epoch = error.epoch;
        problem.head = error.head;
        problem.accounts = error.accounts;
        problem
    }
}

/// A problem document with its status and the headers that go with it.
pub fn respond(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).expect("every code has a valid status");
    let body = serde_json::to_vec(problem).expect("a problem always serializes");
    let mut response = (status, body).into_response();
    let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
    set(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait_ms) = problem.retry_after_ms {
        // Whole seconds (RFC 9110 section 10.2.3), never too early.
        set(RETRY_AFTER, wait_ms.div_ceil(1_000).into());
    }
    if matches!(problem.code, Code::Unauthorized | Code::LoggedOut) {
        set(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    }
    response
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        respond(&self.into())
    }
}
