//! `GET /v1/accounts/{id}/presence`.

use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use tidings_proto::frame::Presence;
use tidings_proto::id::AccountId;
use tidings_proto::problem::Problem;

/// Whether somebody is online, and when they last were, as far as both share it with each other. Of whom nothing is
/// known or shared: offline, without a time.
#[utoipa::path(
    get, path = "/v1/accounts/{id}/presence", tag = "presence", params(("id" = AccountId, Path)),
    responses((status = 200, body = Presence), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(account): Path<AccountId>,
) -> Result<Json<Presence>> {
    server.online.presence(&server, sender.account, account).await.map(Json)
}
