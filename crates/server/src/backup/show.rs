//! `GET /v1/backup`: whether there is one, and what opening it takes.

use super::row;
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use tidings_proto::backup::Backup;
use tidings_proto::problem::Problem;

/// Look at the backup
#[utoipa::path(
    get, path = "/v1/backup", tag = "backup",
    responses(
        (status = 200, description = "What there is.", body = Backup),
        (status = 404, description = "`not_found`: this account has none.", body = Problem),
    )
)]
pub async fn get(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<Json<Backup>> {
    let key = row::key(&server, me.account).await?.ok_or_else(|| Error::not_found("backup"))?.value;
    let head = row::head(&server, me.account).await?.map(|head| head.value);
    let wait_ms = key.open_at_ms().saturating_sub(server.clock.now_ms());
    Ok(Json(Backup {
        generation: head.as_ref().map_or(0, |head| head.generation),
        manifest: head.as_ref().map(|head| head.manifest),
        made_ms: head.as_ref().map_or(0, |head| head.made_ms),
        kdf: key.kdf,
        retry_after_ms: Some(wait_ms).filter(|ms| *ms > 0),
    }))
}
