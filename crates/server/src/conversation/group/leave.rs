//! `POST /v1/conversations/{id}/leave`: somebody leaves a group, at once for the server; the next commit takes their
//! leaves out.

use super::commit::stale;
use super::rows;
use crate::auth::Authenticated;
use crate::conversation::append::lost;
use crate::error::{Error, Result};
use crate::lane::{Reply, Roster, View};
use crate::public_group::Held;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::{Body, ConversationKind, Sender};
use tidings_proto::group::LeaveProof;
use tidings_proto::http::{Leavers, PostLeave, Posted};
use tidings_proto::id::{ConversationId, LogId};
use tidings_proto::problem::{Code, Problem};
use tidings_store::log::{NewEntry, Sent};
use tokio::sync::oneshot;

/// Leaves a group, with all of one's devices. The last admin of others names another one first.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/leave", tag = "groups",
    params(("id" = ConversationId, Path)), request_body = PostLeave,
    responses((status = 201, body = Posted), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(body): Json<PostLeave>,
) -> Result<(StatusCode, Json<Posted>)> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    if body.proof.sender != sender {
        return Err(Error::new(Code::BadRequest, "The proof is signed by the device that asks."));
    }
    let message_id = body.message_id;
    // In a task of its own: what was begun is ended while the group's slot is held.
    let task = tokio::spawn(async move {
        let slot = server.groups.slot(conversation);
        let mut held = slot.state.lock().await;
        let sent = leave(&server, conversation, body, &mut held).await;
        drop(held);
        server.groups.settle(conversation, slot);
        sent
    });
    let sent = task.await.map_err(|_| lost())??;
    Ok((StatusCode::CREATED, Json(Posted { message_id, seq: sent.seq, time_ms: sent.time_ms })))
}

async fn leave(
    server: &Arc<Server>,
    conversation: ConversationId,
    leave: PostLeave,
    held: &mut Option<Held>,
) -> Result<Sent> {
    let PostLeave { message_id, epoch, proof } = leave;
    let sender = proof.sender;
    let lane = server.lanes.open(server, conversation.into()).await?;
    let found = lane.roster().filter(|(_, roster)| roster.kind == ConversationKind::Group);
    let Some((head, roster)) = found else {
        server.lanes.forget(lane);
        return Err(Error::not_found("group"));
    };
    if let Some(sent) = server.log.sent(lane.log, &head, message_id, sender.device).await? {
        let stored = server.log.entry(lane.log, sent.seq).await?.and_then(|stored| stored.decode().ok());
        return match stored.map(|entry| entry.body) {
            Some(Body::Leave { .. }) => Ok(sent),
            _ => Err(Error::new(Code::Conflict, "This message id was used for something else.")),
        };
    }
    check_admins(&roster, sender)?;
    if epoch != head.epoch {
        return Err(stale(&head));
    }
    if held.as_ref().is_none_or(|held| held.commit != roster.commit_id) {
        *held = Some(rows::load(server, conversation, roster.commit_id).await?);
    }
    let leaf = held.as_ref().and_then(|held| held.state.leaf(sender));
    if !leaf.is_some_and(|leaf| proof.verifies(conversation, &leaf)) {
        return Err(Error::new(Code::BadRequest, "The proof is not signed over the leaf that this device has."));
    }
    let body = Body::Leave { proof };
    // Kept for ever, as commits are: the roster follows from both.
    let entry = NewEntry { message_id, sender, epoch, body, expires_in_ms: None };
    let (answer, answered) = oneshot::channel();
    lane.append_checked(server, entry, Reply::Call(answer))?;
    answered.await.map_err(|_| lost())?
}

/// Who left or was logged out, and still has leaves. A device that came in by itself after that does not find it in its
/// part of the log. Of direct conversations too.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/leave", tag = "groups", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Leavers), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
) -> Result<Json<Leavers>> {
    let lane = server.lanes.open(&server, conversation.into()).await?;
    let found = lane.view(sender.account);
    server.lanes.forget(lane);
    let View { head, roster, .. } = found?;
    let log = LogId::from(conversation);
    let mut left = Vec::new();
    let mut seq = head.commit_seq;
    // Since the newest leave of those who are waited for there are only external commits: there are not many.
    while left.len() < roster.departed.len() && seq > 0 {
        let Some(entry) = server.log.entry(log, seq).await?.and_then(|stored| stored.decode().ok()) else { break };
        if let Body::Leave { proof } = entry.body
            && roster.has_departed(proof.sender.account)
            && !left.iter().any(|known: &LeaveProof| known.sender.account == proof.sender.account)
        {
            left.push(proof);
        }
        seq = match server.log.page_before(log, &head, seq, 1, usize::MAX).await?.entries.pop() {
            Some(before) => before.decode().map_err(|_| lost())?.commit_seq,
            None => 0,
        };
    }
    Ok(Json(Leavers { epoch: head.epoch, left, gone: roster.gone.clone() }))
}

/// Whoever leaves others behind leaves them an admin.
fn check_admins(roster: &Roster, sender: Sender) -> Result<()> {
    if roster.member(sender.account).is_none() {
        return Err(Error::not_found("group"));
    }
    let others = roster.accounts().filter(|account| *account != sender.account);
    let is_admin = |account| roster.rules.as_ref().is_some_and(|rules| rules.is_admin(account));
    let (mut left, mut admins) = (0, 0);
    for account in others {
        left += 1;
        admins += usize::from(is_admin(account));
    }
    if left > 0 && admins == 0 {
        return Err(Error::new(Code::Forbidden, "You are the last admin: name another one before you leave."));
    }
    Ok(())
}
