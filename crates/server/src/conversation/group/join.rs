//! `POST /v1/conversations/{id}/join`: what an invite link leads to.

use super::check;
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::lane::Roster;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use tidings_proto::entry::{ConversationKind, Sender};
use tidings_proto::group::{Invite, JoinProof};
use tidings_proto::http::{InvitePreview, Join};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Problem;
use tidings_store::log::Head;

/// Says how many people there are, and whether an admin has to approve. Changes nothing.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/join", tag = "groups",
    params(("id" = ConversationId, Path)), request_body = Join,
    responses((status = 200, body = InvitePreview), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(Join { proof }): Json<Join>,
) -> Result<Json<InvitePreview>> {
    let (_, roster) = group(&server, conversation).await?;
    let invite = invite(&server, &roster, conversation, sender, &proof)?;
    Ok(Json(InvitePreview {
        members: roster.members.len() as u32,
        approval: invite.approval,
        member: roster.member(sender.account).is_some(),
    }))
}

/// Head and roster of a group, whoever asks.
pub async fn group(server: &Server, conversation: ConversationId) -> Result<(Head, Arc<Roster>)> {
    let lane = server.lanes.open(server, conversation.into()).await?;
    let found = lane.roster();
    server.lanes.forget(lane);
    found.filter(|(_, roster)| roster.kind == ConversationKind::Group).ok_or_else(|| Error::not_found("group"))
}

/// The invite that this proof shows, be it one that needs an approval.
pub fn invite(
    server: &Server,
    roster: &Roster,
    conversation: ConversationId,
    sender: Sender,
    proof: &JoinProof,
) -> Result<Invite> {
    // Where everybody has left nobody comes in any more: there would be no admin.
    let rules =
        roster.rules.as_ref().filter(|_| !roster.members.is_empty()).ok_or_else(|| Error::not_found("group"))?;
    let now_s = server.clock.now_ms() / 1_000;
    Ok(rules.check_request(conversation, sender, proof, now_s)?.clone())
}

/// Whether one more person may come in.
pub fn has_room(server: &Server, roster: &Roster) -> Result<()> {
    check::people(server, roster.members.len(), roster.members.len() + 1)
}
