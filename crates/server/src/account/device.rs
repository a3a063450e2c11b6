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
use tidings_proto::entry::Sender;
use tidings_proto::http::{Device, Devices, RenameDevice};
use tidings_proto::id::DeviceId;
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
    let device = Sender { account: me.account, device };
    if directory::device(&server.store, device).await?.is_none() {
        return Err(Error::not_found("device"));
    }
    logout::log_out(&server, device).await?;
    tracing::info!(device = %device.device, "a device was logged out");
    Ok(StatusCode::NO_CONTENT)
}
