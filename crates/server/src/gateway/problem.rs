//! Errors as they leave over HTTP: problem documents (RFC 9457).

use crate::error::Error;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use tidings_proto::problem::{Code, Next, Problem};

pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        response(&self.into())
    }
}

/// The document with its status and the headers that go with it.
pub fn response(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).expect("every code has a valid status");
    let body = serde_json::to_vec(problem).expect("a problem always serializes");
    let mut response = (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
    let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
    if let Some(wait_ms) = problem.retry_after_ms {
        // Whole seconds (RFC 9110 section 10.2.3), never too early.
        set(RETRY_AFTER, wait_ms.div_ceil(1_000).into());
    }
    if problem.code.next() == Next::Authenticate || problem.code == Code::LoggedOut {
        set(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    }
    response
}
