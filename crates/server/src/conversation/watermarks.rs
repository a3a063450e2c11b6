//! `GET /v1/conversations/{id}/watermarks`: what message info shows.

use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use tidings_proto::http::Watermarks;
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Problem;

/// How far every member has received and read, as far as they share it.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/watermarks", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Watermarks), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
) -> Result<Json<Watermarks>> {
    let lane = server.lanes.open(&server, conversation.into()).await?;
    let watermarks = lane.view(sender.account).map(|_| lane.watermarks(sender.account).0);
    server.lanes.forget(lane);
    watermarks.map(|watermarks| Json(Watermarks { watermarks }))
}
