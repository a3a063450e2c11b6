//! `POST /v1/oauth/token` and `POST /v1/oauth/revoke`: OAuth 2.0 (RFC 6749 section 6, RFC 7009).
//!
//! How rotation works stands in [`crate::auth`].

use crate::account::lock;
use crate::auth::{ACCESS_LIFETIME_S, Claims, Kind, authenticate};
use crate::directory::{self, Device};
use crate::error::{self, Error, Result};
use crate::keys::credential;
use crate::logout;
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::{Form, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use tidings_proto::credential::{Credential, is_refresh};
use tidings_proto::entry::Sender;
use tidings_proto::http::{Refresh, Revoke, Tokens};
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Table};

/// The generation of a login's tokens.
pub const FIRST_GENERATION: u64 = 1;

/// Looks at a device's row that a refresh takes before it says that too many refresh at once.
const TRIES_MAX: u32 = 16;

/// A token response; never cached (RFC 6749 section 5.1).
pub type TokenAnswer = ([(HeaderName, &'static str); 1], Json<Tokens>);

/// The tokens of one generation of a device.
pub fn answer(server: &Server, device: Sender, generation: u64) -> TokenAnswer {
    let expires_s = server.clock.now_ms() / 1_000 + ACCESS_LIFETIME_S;
    let tokens = Tokens {
        access_token: Claims { kind: Kind::Access, device, generation, expires_s }.issue(server),
        token_type: "Bearer".into(),
        expires_in: ACCESS_LIFETIME_S,
        refresh_token: Claims { kind: Kind::Refresh, device, generation, expires_s: u64::MAX }.issue(server),
        account: device.account,
        device: device.device,
    };
    ([(CACHE_CONTROL, "no-store")], Json(tokens))
}

/// Refresh tokens
///
/// The refresh token changes each time; the old one stays good until the new access token was used once.
#[utoipa::path(
    post, path = "/v1/oauth/token", tag = "account", security(()),
    request_body(content = Refresh, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "New tokens.", body = Tokens),
        (status = 400, description = "`invalid_grant`: the refresh token is not good, or was used before and the device is logged out now.", body = Problem),
    )
)]
pub async fn refresh(State(server): State<Arc<Server>>, Form(body): Form<Refresh>) -> Response {
    if body.grant_type != "refresh_token" {
        let mut problem = Problem::new(Code::BadRequest, "grant_type must be refresh_token.");
        problem.error = Some("unsupported_grant_type".into());
        return error::respond(&problem);
    }
    rotate(&server, &body.refresh_token, body.proof.as_deref()).await.into_response()
}

async fn rotate(server: &Arc<Server>, refresh_token: &str, proof: Option<&str>) -> Result<TokenAnswer> {
    let claims = Claims::read(server, Kind::Refresh, refresh_token)
        .ok_or_else(|| invalid_grant("The refresh token is not valid; log in again."))?;
    for _ in 0..TRIES_MAX {
        let Some(row) = directory::device(&server.store, claims.device).await? else {
            let why = logout::why(server, claims.device.account).await?;
            return Err(invalid_grant(&format!("{} Log in again.", why.detail)));
        };
        let Device { generation, confirmed, .. } = row.value;
        if claims.generation > generation {
            // Only a server that was set back in time can have given this out.
            return Err(invalid_grant("The refresh token is not known; log in again."));
        }
        if claims.generation < generation {
            if !confirmed && claims.generation + 1 == generation {
                return Ok(answer(server, claims.device, generation));
            }
            if !is_itself(server, claims.device, refresh_token, proof).await? {
                logout::log_out(server, claims.device, None).await?;
                tracing::warn!(device = %claims.device.device, "a used refresh token came again; the device is logged out");
                return Err(invalid_grant(
                    "The refresh token was used before, so this device is logged out; log in again.",
                ));
            }
            tracing::warn!(device = %claims.device.device, "a device came back with an old refresh token");
        }
        let next = Device { generation: generation + 1, confirmed: false, ..row.value };
        let batch = Batch::new(Family::Account, claims.device.account.as_bytes())
            .assert(Table::Device, claims.device.device.as_bytes(), Assert::Equals(row.bytes))
            .put(Table::Device, claims.device.device.as_bytes(), stored::encode(&next));
        match server.store.commit(batch).await {
            Ok(()) => {
                lock::seen(server, claims.device.account).await?;
                return Ok(answer(server, claims.device, next.generation));
            }
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(Code::Overloaded, "Too many refreshes at once; wait.").retry_after_ms(1_000))
}

/// Whether the device that holds the keys uses this token: its database was put back. Who stole the token alone, or read
/// it on its way, has no such signature.
async fn is_itself(server: &Server, device: Sender, refresh_token: &str, proof: Option<&str>) -> Result<bool> {
    let Some(proof) = proof.and_then(|proof| URL_SAFE_NO_PAD.decode(proof).ok()) else { return Ok(false) };
    let credential = server.store.get(&credential::key(device.device)).await?;
    let credential = credential.and_then(|bytes| Credential::verify(&bytes).ok());
    Ok(credential.is_some_and(|credential| is_refresh(&credential, refresh_token, &proof)))
}

/// Revoke a token
///
/// Logs the device of this token out. Always 200, whatever the token is.
#[utoipa::path(
    post, path = "/v1/oauth/revoke", tag = "account", security(()),
    request_body(content = Revoke, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token is not good any more."))
)]
pub async fn revoke(State(server): State<Arc<Server>>, Form(body): Form<Revoke>) -> Result<StatusCode> {
    let device = match Claims::read(&server, Kind::Refresh, &body.token) {
        // Any refresh token of ours will do: a used one that comes again would log the device out anyway.
        Some(claims) => Some(claims.device),
        None => authenticate(&server, &body.token).await.ok(),
    };
    if let Some(device) = device {
        logout::log_out(&server, device, None).await?;
        tracing::info!(device = %device.device, "a device logged out");
    }
    Ok(StatusCode::OK)
}

fn invalid_grant(detail: &str) -> Error {
    Error::new(Code::InvalidGrant, detail)
}
