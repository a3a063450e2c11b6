//! Problem documents (RFC 9457) for what the framework refuses by itself: unknown routes, wrong methods, bodies that
//! are too large or not of the documented form. Errors of ours are such documents from the beginning
//! (`impl IntoResponse for Error`).

use crate::error::{Error, respond};
use axum::body::to_bytes;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tidings_proto::problem::{Code, Problem};

/// The framework's own words are a line or two.
const WORDS_MAX_BYTES: usize = 4 * 1024;
/// Where errors have a member `error` too (RFC 6749 section 5.2).
const TOKEN_ENDPOINT: &str = "/v1/oauth/token";

pub async fn no_such_route(uri: Uri) -> Error {
    let detail = format!("There is nothing at {}; what there is stands at /docs.", shortened(uri.path()));
    Error::new(Code::NotFound, detail)
}

pub async fn method_not_allowed() -> Error {
    Error::new(Code::MethodNotAllowed, "This method is not for this path; the header Allow names those that are.")
}

/// Makes a problem document of an error response that is none; others pass.
pub async fn documented(path: &str, response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_problem(&response) {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let words = match to_bytes(response.into_body(), WORDS_MAX_BYTES).await {
        Ok(words) if !words.is_empty() => String::from_utf8_lossy(&words).into_owned(),
        _ => status.canonical_reason().unwrap_or("The request was refused.").to_owned(),
    };
    let code = code_of(status);
    let mut problem = Problem::new(code, if code == Code::Internal { "Something broke here.".into() } else { words });
    if path == TOKEN_ENDPOINT {
        problem.error = Some("invalid_request".into());
    }
    let mut response = respond(&problem);
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

pub fn internal() -> Response {
    Error::new(Code::Internal, "Something broke here.").into_response()
}

fn is_problem(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"))
}

/// Rejections of the framework by their status; 422 is a body of the wrong shape.
fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::FORBIDDEN => Code::Forbidden,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    }
}

fn shortened(path: &str) -> &str {
    const SHOWN_MAX_BYTES: usize = 100;
    if path.len() <= SHOWN_MAX_BYTES {
        return path;
    }
    // Paths are ASCII once they are parsed, but a boundary costs nothing.
    let end = (0..=SHOWN_MAX_BYTES).rev().find(|end| path.is_char_boundary(*end)).unwrap_or(0);
    &path[..end]
}
