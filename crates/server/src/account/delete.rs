//! `DELETE /v1/account`. What happens then stands in [`crate::deletion`].
//!
//! It needs the token of a device, the account's own number, the signature of its identity key, and the PIN if the number
//! is locked: a token that leaked, or a login that was stolen with a text message, is not enough.

use crate::account::lock;
use crate::account::phone::Phone;
use crate::auth::Authenticated;
use crate::deletion::{self, Work};
use crate::directory;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::account::DeleteAccount;
use tidings_proto::credential::is_deletion;
use tidings_proto::limit::DELETION_GROUPS_MAX;
use tidings_proto::problem::{Code, Problem};

/// How long the answer waits for the work; it goes on without it.
const WAIT: Duration = Duration::from_secs(10);

/// Delete the account
///
/// Everything that the server keeps of it goes, its people are told, and the number is free at once. What others were
/// sent stays with them.
#[utoipa::path(
    delete, path = "/v1/account", tag = "account", security(("access_token" = [])), request_body = DeleteAccount,
    responses(
        (status = 204, description = "It is gone, and with it every login. The last of it may take some more moments."),
        (status = 403, description = "`forbidden`: another number than the account's; `pin_required`", body = Problem),
        (status = 422, description = "`invalid_key`: not signed by the account's identity key; `wrong_pin`", body = Problem),
        (status = 429, description = "`rate_limited`: too many wrong PINs.", body = Problem),
    )
)]
pub async fn delete(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<DeleteAccount>,
) -> Result<StatusCode> {
    let row = directory::account(&server.store, me.account).await?.ok_or_else(|| Error::not_found("account"))?;
    let phone = Phone::parse(&body.phone)?;
    if server.secrets.open_phone(me.account, &row.value.phone).as_deref() != Some(phone.as_str()) {
        return Err(Error::new(Code::Forbidden, "This is not the number of this account."));
    }
    if body.left.len() > DELETION_GROUPS_MAX {
        return Err(Error::new(Code::TooLarge, format!("At most {DELETION_GROUPS_MAX} groups.")));
    }
    let proof = body.deletion.as_slice();
    if !row.value.identity_key.is_some_and(|key| is_deletion(&key, me.account, proof)) {
        return Err(Error::new(Code::InvalidKey, "The deletion is not signed by the account's identity key."));
    }
    lock::check(&server, me.account, body.pin.as_deref()).await?;
    if body.check {
        return Ok(StatusCode::NO_CONTENT);
    }
    let work = Work {
        phone_hash: server.secrets.phone_hash(phone.as_str()).into(),
        asked_by: me.device,
        devices: BTreeSet::from([me.device]),
        proof: ByteBuf::from(proof.to_vec()),
        left: body.left,
    };
    deletion::begin(&server, me.account, &work).await?;
    // In a task of its own: what was begun is ended, also if nobody waits any more.
    let finishing = tokio::spawn(async move { deletion::finish(&server, me.account).await });
    match tokio::time::timeout(WAIT, finishing).await {
        Ok(Ok(Err(error))) => tracing::warn!(%error, "an account is not deleted yet; it is tried again"),
        Ok(Err(error)) => tracing::error!(%error, "an account is not deleted yet; it is tried again"),
        Ok(Ok(Ok(()))) | Err(_) => {}
    }
    Ok(StatusCode::NO_CONTENT)
}
