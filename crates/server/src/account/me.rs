//! `GET /v1/me`: who one is here.

use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use tidings_proto::http::Me;
use tidings_proto::problem::Code;

/// Me
#[utoipa::path(
    get, path = "/v1/me", tag = "account", security(("access_token" = [])),
    responses((status = 200, description = "One's account, device and number.", body = Me))
)]
pub async fn me(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<Json<Me>> {
    let row = directory::account(&server.store, me.account).await?;
    let phone = row.and_then(|row| server.secrets.open_phone(me.account, &row.value.phone));
    let phone = phone.ok_or_else(|| {
        tracing::error!(account = %me.account, "the number of an account cannot be read");
        Error::new(Code::Internal, "Your number cannot be read.")
    })?;
    Ok(Json(Me { account: me.account, device: me.device, phone }))
}
