//! Errors of the agent's API: problem documents (RFC 9457). `code` is for programs, `detail` for people.

use crate::failure::Failure;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tidings_client::ClientError;
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    pub title: String,
    pub status: u16,
    /// For people.
    pub detail: String,
    /// For programs: one of the agent's own (`bad_request`, `unauthorized`, `wrong_host`, `wrong_origin`, `not_found`,
    /// `method_not_allowed`, `not_logged_in`, `no_such_person`, `no_such_conversation`, `no_such_message`,
    /// `no_such_invite`, `timeout`, `not_allowed`, `invite_needed`, `too_long`, `not_sent`, `offline`, `database`, `closed`, `overloaded`), or a code of the server.
    pub code: String,
    /// Waiting for so long may help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self {
            title: code.replace('_', " "),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            retry_after_ms: None,
        }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, "bad_request", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_ms.map(|ms| HeaderValue::from(ms.div_ceil(1000)));
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let (status, code) = match &error {
            ClientError::NotLoggedIn | ClientError::AlreadyLoggedIn => (409, "not_logged_in"),
            ClientError::NoSuchPerson { .. } => (404, "no_such_person"),
            ClientError::NoSuchConversation => (404, "no_such_conversation"),
            ClientError::NoSuchMessage => (404, "no_such_message"),
            ClientError::NotAllowed { .. } => (403, "not_allowed"),
            ClientError::TooLong { .. } => (413, "too_long"),
            ClientError::InviteNeeded { .. } => (403, "invite_needed"),
            ClientError::Offline => (503, "offline"),
            ClientError::Refused { code, .. } => (code.status(), code.as_str()),
            ClientError::Database { .. } => (500, "database"),
        };
        let mut problem = Self::new(status, code, error.to_string());
        if let ClientError::Refused { retry_after_ms, .. } = error {
            problem.retry_after_ms = retry_after_ms;
        }
        problem
    }
}

/// The account is not open any more.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::new(503, "closed", failure.what())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let code = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "too_long" } else { "bad_request" };
        Self::new(rejection.status().as_u16(), code, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

pub async fn no_such_route() -> Problem {
    Problem::new(404, "not_found", "There is no such endpoint; /docs/ lists them.")
}

pub async fn method_not_allowed() -> Problem {
    Problem::new(405, "method_not_allowed", "This endpoint takes another method; /docs/ lists them.")
}
