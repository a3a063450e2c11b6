//! `GET /v1/devices`, `PUT` and `DELETE /v1/devices/{id}`: one's own devices.

use crate::account::login;
use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::logout;
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::credential::is_revocation;
use tidings_proto::entry::Sender;
use tidings_proto::http::{Device, Devices, RenameDevice, RevokeDevice};
use tidings_proto::id::DeviceId;
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Table};

/// Looks at a device's row that a new name takes before it says that too much happens at once.
const TRIES_MAX: u32 = 16;

/// My devices
#[utoipa::path(
    get, path = "/v1/devices", tag = "account", security(("access_token" = [])),
    responses((status = 200, description = "By id.", body = Devices))
)]
pub async fn list(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<Json<Devices>> {
    let devices = directory::devices(&server.store, me.account).await?.into_iter().map(|(device, row)| Device {
        device,
        name: row.value.name,
        created_ms: row.value.created_ms,
        current: device == me.device,
    });
    Ok(Json(Devices { devices: devices.collect() }))
}

/// Name a device
#[utoipa::path(
    put, path = "/v1/devices/{id}", tag = "account", security(("access_token" = [])), request_body = RenameDevice,
    params(("id" = DeviceId, Path, description = "One of one's own.")),
    responses(
        (status = 204, description = "Named."),
        (status = 404, description = "`not_found`", body = Problem),
    )
)]
pub async fn rename(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(device): Path<DeviceId>,
    Json(body): Json<RenameDevice>,
) -> Result<StatusCode> {
    let name = login::device_name(&body.name)?;
    let device = Sender { account: me.account, device };
    for _ in 0..TRIES_MAX {
        let row = directory::device(&server.store, device).await?.ok_or_else(|| Error::not_found("device"))?;
        let named = directory::Device { name: name.clone(), ..row.value };
        let batch = Batch::new(Family::Account, me.account.as_bytes())
            .assert(Table::Device, device.device.as_bytes(), Assert::Equals(row.bytes))
            .put(Table::Device, device.device.as_bytes(), stored::encode(&named));
        match server.store.commit(batch).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            // Its tokens were rotated at this very moment.
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(Code::Overloaded, "Too much happens with this device at once; wait.").retry_after_ms(1_000))
}

/// Log a device out
///
/// Its tokens are dead and its connection ends at once.
#[utoipa::path(
    delete, path = "/v1/devices/{id}", tag = "account", security(("access_token" = [])),
    params(("id" = DeviceId, Path, description = "One of one's own.")),
    responses(
        (status = 204, description = "Logged out."),
        (status = 404, description = "`not_found`", body = Problem),
    )
)]
pub async fn log_out(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(device): Path<DeviceId>,
) -> Result<StatusCode> {
    log_out_own(&server, me, device, None).await
}

/// Throw a device out for good
///
/// As logging it out, with the proof that the members of its conversations check: no server can bring it back.
#[utoipa::path(
    post, path = "/v1/devices/{id}/revoke", tag = "account", security(("access_token" = [])),
    request_body = RevokeDevice, params(("id" = DeviceId, Path, description = "One of one's own.")),
    responses(
        (status = 204, description = "Logged out. A repeat changes nothing."),
        (status = 404, description = "`not_found`", body = Problem),
        (status = 422, description = "`invalid_key`: the proof does not verify.", body = Problem),
    )
)]
pub async fn revoke(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(device): Path<DeviceId>,
    Json(body): Json<RevokeDevice>,
) -> Result<StatusCode> {
    let account = directory::account(&server.store, me.account).await?.ok_or_else(|| Error::not_found("account"))?;
    let proven = account
        .value
        .identity_key
        .is_some_and(|key| is_revocation(&key, me.account, device, body.revocation.as_slice()));
    if !proven {
        return Err(Error::new(Code::InvalidKey, "The revocation is not signed by the account's identity key."));
    }
    log_out_own(&server, me, device, Some(body.revocation)).await
}

/// What was begun and cut short is ended too.
async fn log_out_own(
    server: &Arc<Server>,
    me: Sender,
    device: DeviceId,
    revoked: Option<Payload>,
) -> Result<StatusCode> {
    if directory::owner(&server.store, device).await? != Some(me.account) {
        return Err(Error::not_found("device"));
    }
    logout::log_out(server, Sender { account: me.account, device }, revoked).await?;
    tracing::info!(%device, "a device was logged out");
    Ok(StatusCode::NO_CONTENT)
}
