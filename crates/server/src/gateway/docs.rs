//! `/openapi.json`, the reference page at `/docs/`, and `/docs/errors`. Nothing here asks a third party for anything.

use crate::server::Server;
use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::response::Html;
use axum::routing::get;
use bytes::Bytes;
use std::fmt::Write;
use std::sync::Arc;
use tidings_proto::problem::{Code, Next};
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Keeps a browser from asking anybody else, whatever the page says. Swagger UI writes styles into the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);
const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");

pub fn routes(document: OpenApi) -> Router<Arc<Server>> {
    let json: Bytes = document.to_json().expect("the document serializes").into();
    // The validator's badge would send the document's address to a third party.
    let config = Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true);
    let reference: Router<Arc<Server>> = SwaggerUi::new("/docs").config(config).into();
    let errors = errors_page();
    let policy = ServiceBuilder::new().layer(SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, POLICY));
    reference
        .route("/docs/errors", get(move || std::future::ready(Html(errors.clone()))))
        .layer(policy)
        .route("/openapi.json", get(move || std::future::ready(([JSON], json.clone()))))
}

/// A page of all problem codes, made from the codes themselves.
fn errors_page() -> String {
    let mut page = String::from(include_str!("errors.html"));
    for code in Code::ALL {
        let (name, status) = (code.as_str(), code.status());
        let (meaning, next) = (meaning(*code), advice(code.next()));
        write!(
            page,
            "<section id=\"{name}\"><h2><a href=\"#{name}\"><code>{name}</code></a> <small>{status}</small></h2>\n\
             <p>{meaning}</p><p><b>What to do:</b> {next}</p></section>\n"
        )
        .expect("writing to a string does not fail");
    }
    page.push_str("</html>\n");
    page
}

fn advice(next: Next) -> &'static str {
    match next {
        Next::Retry => "repeat the same request later: after <code>Retry-After</code>, or with a growing delay.",
        Next::Authenticate => "get a new access token with the refresh token, then repeat the request.",
        Next::Sync => "read the log to its head, then try again with what it says.",
        Next::Tell => "tell the person; only they can change it.",
        Next::GiveUp => "do not repeat the request; it will never succeed as it is.",
    }
}

fn meaning(code: Code) -> &'static str {
    match code {
        Code::BadRequest => "The request is not of the documented form; <code>detail</code> says where.",
        Code::Unauthorized => "There is no access token, or it is not valid any more.",
        Code::InvalidGrant => {
            "The refresh token is not good (RFC 6749). If it was used before, the device is logged out."
        }
        Code::LoggedOut => "This device was logged out, or its account is gone.",
        Code::Forbidden => "You are signed in, but this is not allowed.",
        Code::NotFound => "There is no such thing, or it is not for you; the server does not say which.",
        Code::MethodNotAllowed => {
            "The path exists, but not with this method; the header <code>Allow</code> names the others."
        }
        Code::Exists => "Somebody was faster: the conversation exists already.",
        Code::GroupFull => "The group has as many people as it may have.",
        Code::CommitFirst => "Somebody left; a commit has to take their devices out before anything else is sent.",
        Code::ApprovalNeeded => "An admin has to let you in: ask with a join request.",
        Code::InviteNeeded => {
            "Somebody does not let you add them to groups; `accounts` says who. Leave them out, and send them an invite link."
        }
        Code::StaleEpoch => {
            "The conversation's epoch moved on. Encrypt again for the new epoch under the same message id."
        }
        Code::Conflict => "The same message id was used for something else.",
        Code::TooLarge => "A size or a count is over its limit; <code>detail</code> names the limit.",
        Code::UnsupportedMediaType => "The body is not of the media type that this endpoint takes.",
        Code::RateLimited => "Too many requests of this kind from this address, account, device or for this number.",
        Code::InvalidPhone => "The phone number is not a valid number with its country code, as in +31612345678.",
        Code::InvalidCode => "The code is wrong, was used, or has expired. After five wrong attempts it is void.",
        Code::PinRequired => {
            "The number is locked: its PIN is needed besides the code. If it was forgotten, the lock opens after the time in <code>retry_after_ms</code>."
        }
        Code::WrongPin => "Not the PIN of this number. Wrong ones are counted, and each further one waits longer.",
        Code::InvalidKey => "A credential or key package does not verify, has expired, or is missing.",
        Code::QuotaFull => "Your account has as much stored on the server as it may have; delete something first.",
        Code::WrongPassphrase => "Not the passphrase or recovery code of this backup. Wrong guesses are counted.",
        Code::Blocked => "You block this person; unblock them first.",
        Code::NoDevice => "The other person has no device that can receive; it may come back.",
        Code::Overloaded => "The server has too much to do and took nothing.",
        Code::ShuttingDown => "The server is going down, usually to come back at once.",
        Code::SmsFailed => "The code could not be sent to the phone.",
        Code::Replaced => "This device connected again elsewhere, so this connection ended.",
        Code::Timeout => "The request took too long, or the connection was silent or read too slowly for too long.",
        Code::Internal => "Something broke in the server. Nothing was promised.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_place_on_the_page() {
        let page = errors_page();
        for code in Code::ALL {
            assert!(page.contains(&format!("<section id=\"{}\">", code.as_str())), "{code:?}");
        }
    }
}
