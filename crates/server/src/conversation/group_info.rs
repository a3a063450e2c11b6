//! `GET /v1/conversations/{id}/group-info`: what a device needs to join by itself.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use tidings_proto::http::GroupInfo;
use tidings_proto::id::ConversationId;
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_store::{Key, Table};

/// How often a commit may slip in between the look at the epoch and the read.
const ATTEMPTS_MAX: u32 = 4;

/// The GroupInfo of the present epoch, for an external commit by a device of a member.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/group-info", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = GroupInfo), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
) -> Result<Json<GroupInfo>> {
    for _ in 0..ATTEMPTS_MAX {
        let lane = server.lanes.open(&server, conversation.into()).await?;
        let view = lane.view(sender.account);
        server.lanes.forget(lane);
        let view = view?;
        let row = Key::new(Table::GroupInfo, conversation.as_bytes(), view.roster.commit_id.as_bytes());
        if let Some(bytes) = server.store.get(&row).await? {
            let (epoch, commit_seq) = (view.head.epoch, view.roster.commit_seq);
            return Ok(Json(GroupInfo { epoch, commit_seq, group_info: Payload(bytes), tree: None }));
        }
    }
    Err(Error::new(Code::Internal, "The group info of this epoch is missing; it comes back with the next commit."))
}
