//! `GET /v1/devices` and `DELETE /v1/devices/{id}`: one's own devices.

use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::logout;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::http::{Device, Devices};
use tidings_proto::id::DeviceId;
use tidings_proto::problem::Problem;

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
