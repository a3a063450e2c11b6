//! `PUT /v1/conversations/{id}/receipts`, and the socket's `read`.

use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::http::PutReceipts;
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Problem;

/// Moves the account's watermarks. They never run backwards: lower values are ignored.
#[utoipa::path(
    put, path = "/v1/conversations/{id}/receipts", tag = "conversations",
    params(("id" = ConversationId, Path)), request_body = PutReceipts,
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(body): Json<PutReceipts>,
) -> Result<StatusCode> {
    mark(&server, sender, conversation, body.delivered.unwrap_or(0), body.read.unwrap_or(0)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn mark(
    server: &Arc<Server>,
    sender: Sender,
    conversation: ConversationId,
    delivered: u64,
    read: u64,
) -> Result<()> {
    let lane = server.lanes.open(server, conversation.into()).await?;
    let marked = lane.mark(server, sender, delivered, read);
    server.lanes.forget(lane);
    marked
}
