//! `PUT /v1/conversations/{id}/members`: adds and removes people, several at once.

use crate::auth::Authenticated;
use crate::conversation::commit::commit;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::http::{Posted, PutMembers};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::{Code, Problem};

/// Appends a commit that adds or removes; all of it takes effect, or nothing.
#[utoipa::path(
    put, path = "/v1/conversations/{id}/members", tag = "groups",
    params(("id" = ConversationId, Path)), request_body = PutMembers,
    responses((status = 201, body = Posted), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(PutMembers { commit: body }): Json<PutMembers>,
) -> Result<(StatusCode, Json<Posted>)> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    if body.conversation != conversation || body.change.create.is_some() {
        return Err(Error::new(Code::BadRequest, "The commit is one of the conversation that the path names."));
    }
    if body.change.added.is_empty() && body.change.removed.is_empty() {
        return Err(Error::new(Code::BadRequest, "The commit neither adds nor removes anybody."));
    }
    let message_id = body.message_id;
    let sent = commit(&server, sender, body).await?;
    Ok((StatusCode::CREATED, Json(Posted { message_id, seq: sent.seq, time_ms: sent.time_ms })))
}
