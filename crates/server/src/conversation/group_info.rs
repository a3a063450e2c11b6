//! `GET` and `POST /v1/conversations/{id}/group-info`: what a device needs to join by itself, or by a welcome.

use super::group::{join, rows};
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::lane::{Roster, View};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use std::sync::Arc;
use tidings_proto::entry::ConversationKind;
use tidings_proto::http::{GroupInfo, Join};
use tidings_proto::id::{ConversationId, MessageId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_store::{Key, Table};

/// How often a commit may slip in between the look at the epoch and the read.
const ATTEMPTS_MAX: u32 = 4;

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AsOf {
    /// In a group: as of the commit with this message id, for who was welcomed by it. Not found once it is too old: join by
    /// external commit then.
    commit: Option<MessageId>,
}

/// The GroupInfo of the present epoch, for an external commit by a device of a member; of a group with its ratchet tree.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/group-info", tag = "conversations",
    params(("id" = ConversationId, Path), AsOf),
    responses((status = 200, body = GroupInfo), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Query(AsOf { commit }): Query<AsOf>,
) -> Result<Json<GroupInfo>> {
    for _ in 0..ATTEMPTS_MAX {
        let lane = server.lanes.open(&server, conversation.into()).await?;
        let (view, former) = (lane.view(sender.account), lane.reader(sender.account));
        server.lanes.forget(lane);
        if let (Err(_), Ok(former), Some(commit)) = (&view, &former, commit) {
            return of_former(&server, conversation, former, commit).await;
        }
        let view = view?;
        let epoch = view.head.epoch;
        if view.roster.kind != ConversationKind::Group {
            let row = Key::new(Table::GroupInfo, conversation.as_bytes(), view.roster.commit_id.as_bytes());
            if let Some(bytes) = server.store.get(&row).await? {
                let commit_seq = view.roster.commit_seq;
                let gone = view.roster.gone.clone();
                return Ok(Json(GroupInfo { epoch, commit_seq, group_info: Payload(bytes), tree: None, gone }));
            }
        } else if let Some(found) = of_group(&server, conversation, &view.roster, epoch, commit).await? {
            return Ok(Json(found));
        } else if commit.is_some_and(|commit| commit != view.roster.commit_id) {
            return Err(Error::not_found("tree"));
        }
    }
    Err(missing())
}

/// The same for somebody who holds an invite that needs no approval.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/group-info", tag = "groups",
    params(("id" = ConversationId, Path)), request_body = Join,
    responses((status = 200, body = GroupInfo), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(Join { proof }): Json<Join>,
) -> Result<Json<GroupInfo>> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    for _ in 0..ATTEMPTS_MAX {
        let (head, roster) = join::group(&server, conversation).await?;
        if join::invite(&server, &roster, conversation, sender, &proof)?.approval {
            return Err(Error::new(Code::ApprovalNeeded, "An admin has to approve who comes by this link."));
        }
        if roster.member(sender.account).is_none() {
            join::has_room(&server, &roster)?;
        }
        if let Some(found) = of_group(&server, conversation, &roster, head.epoch, None).await? {
            return Ok(Json(found));
        }
    }
    Err(missing())
}

/// Who was added and put out again while away reads what was said between.
async fn of_former(
    server: &Server,
    conversation: ConversationId,
    view: &View,
    commit: MessageId,
) -> Result<Json<GroupInfo>> {
    let found = of_group(server, conversation, &view.roster, view.head.epoch, Some(commit)).await?;
    let theirs = |seq: u64| view.since_seq <= seq + 1 && seq < view.head.seq;
    found.filter(|found| theirs(found.commit_seq)).map(Json).ok_or_else(|| Error::not_found("tree"))
}

async fn of_group(
    server: &Server,
    conversation: ConversationId,
    roster: &Roster,
    epoch: u64,
    commit: Option<MessageId>,
) -> Result<Option<GroupInfo>> {
    let newest = rows::Newest { commit: roster.commit_id, seq: roster.commit_seq };
    let found = rows::as_of(server, conversation, commit.unwrap_or(newest.commit), newest, epoch).await?;
    Ok(found.map(|found| GroupInfo {
        epoch: found.epoch,
        commit_seq: found.commit_seq,
        group_info: Payload(found.group_info),
        tree: Some(Payload(found.tree)),
        gone: roster.gone.clone(),
    }))
}

fn missing() -> Error {
    Error::new(Code::Internal, "The group info of this epoch is missing; it comes back with the next commit.")
}
