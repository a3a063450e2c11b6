//! `GET /v1/conversations/{id}`.

use crate::auth::Authenticated;
use crate::error::Result;
use crate::lane::Lane;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use tidings_proto::http::Conversation;
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::problem::Problem;

/// Members, epoch, head and watermarks of a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
) -> Result<Json<Conversation>> {
    let lane = server.lanes.open(&server, conversation.into()).await?;
    let shown = show(&lane, sender.account);
    server.lanes.forget(lane);
    shown.map(Json)
}

/// A conversation as one of its members sees it.
pub fn show(lane: &Lane, account: AccountId) -> Result<Conversation> {
    let view = lane.view(account)?;
    let (watermarks, _) = lane.watermarks(account);
    Ok(Conversation {
        conversation: lane.log.as_conversation(),
        kind: view.roster.kind,
        members: view.roster.accounts().collect(),
        rules: view.roster.rules.clone(),
        epoch: view.head.epoch,
        head: view.head.seq,
        watermarks,
    })
}
