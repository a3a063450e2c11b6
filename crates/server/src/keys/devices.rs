//! `GET /v1/accounts/{id}/devices`: the devices of an account with their credentials.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::keys::credential;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use tidings_proto::http::{AccountDevices, DeviceCredential};
use tidings_proto::id::AccountId;
use tidings_proto::payload::Payload;
use tidings_proto::problem::Problem;

/// Devices of an account
///
/// Those that others can encrypt for.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/devices", tag = "keys", security(("access_token" = [])),
    params(("id" = AccountId, Path, description = "Anybody's.")),
    responses(
        (status = 200, description = "By id.", body = AccountDevices),
        (status = 404, description = "`not_found`", body = Problem),
    )
)]
pub async fn list(
    State(server): State<Arc<Server>>,
    _asking: Authenticated,
    Path(account): Path<AccountId>,
) -> Result<Json<AccountDevices>> {
    let devices = credential::of_account(&server.store, account).await?.ok_or_else(|| Error::not_found("account"))?;
    let devices = devices.into_iter().map(|(device, bytes)| DeviceCredential { device, credential: Payload(bytes) });
    Ok(Json(AccountDevices { account, devices: devices.collect() }))
}
