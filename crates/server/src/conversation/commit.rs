//! `POST /v1/conversations/{id}/commits`, and the socket's `commit`: a change of epoch, and what it does to the members.

use super::append::lost;
use super::{create, group, pointer};
use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::lane::{Lane, Reply, Roster, View, commit_first};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::{Body, ConversationKind, Sender};
use tidings_proto::frame::Commit;
use tidings_proto::http::Posted;
use tidings_proto::id::ConversationId;
use tidings_proto::problem::{Code, Problem};
use tidings_store::log::{Head, NewEntry, Sent};
use tokio::sync::oneshot;

/// Appends an MLS commit: all of it takes effect, or nothing. One commit wins an epoch.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/commits", tag = "conversations",
    params(("id" = ConversationId, Path)), request_body = Commit,
    responses((status = 201, body = Posted), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(body): Json<Commit>,
) -> Result<(StatusCode, Json<Posted>)> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    if body.conversation != conversation {
        return Err(Error::new(Code::BadRequest, "The commit names another conversation than the path."));
    }
    let message_id = body.message_id;
    let sent = commit(&server, sender, body).await?;
    Ok((StatusCode::CREATED, Json(Posted { message_id, seq: sent.seq, time_ms: sent.time_ms })))
}

/// Appends a commit, or creates a conversation with one.
pub async fn commit(server: &Arc<Server>, sender: Sender, commit: Commit) -> Result<Sent> {
    if commit.change.create.is_some() {
        return create::create(server, sender, commit).await;
    }
    pointer::check_shape(sender, &commit)?;
    let lane = server.lanes.open(server, commit.conversation.into()).await?;
    if lane.roster().is_some_and(|(_, roster)| roster.kind == ConversationKind::Group) {
        return group::commit::commit(server, sender, commit).await;
    }
    let view = match lane.view(sender.account) {
        Ok(view) => view,
        Err(error) => {
            server.lanes.forget(lane);
            return Err(error);
        }
    };
    if view.blocking {
        return Err(Error::new(Code::Blocked, "You have blocked this person; unblock first."));
    }
    if let Some(sent) = sent_before(server, &lane, &lane.head(), sender, &commit).await? {
        return Ok(sent);
    }
    if commit.epoch != view.head.epoch {
        let detail = format!("The conversation is at epoch {}.", view.head.epoch);
        return Err(Error::new(Code::StaleEpoch, detail).at(view.head.epoch, view.head.seq));
    }
    check_change(server, sender, &commit, &view).await?;
    pointer::write(server, sender, &commit).await?;
    let previous = view.roster.commit_id;
    let conversation = commit.conversation;
    let sent = append(server, &lane, sender, commit).await?;
    pointer::forget_group_info(server, conversation, previous).await;
    Ok(sent)
}

/// Where this very commit stands already.
pub async fn sent_before(
    server: &Server,
    lane: &Lane,
    head: &Head,
    sender: Sender,
    commit: &Commit,
) -> Result<Option<Sent>> {
    let sent = server.log.sent(lane.log, head, commit.message_id, sender.device).await?;
    let Some(sent) = sent else { return Ok(None) };
    let stored = server.log.entry(lane.log, sent.seq).await?.and_then(|stored| stored.decode().ok());
    match stored.map(|entry| entry.body) {
        Some(Body::Commit { .. }) => Ok(Some(sent)),
        _ => Err(Error::new(Code::Conflict, "This message id was used for something else.")),
    }
}

/// Appends the commit's entry: the one atomic point. What pointed to a commit that lost is cleaned up.
pub async fn append(server: &Arc<Server>, lane: &Arc<Lane>, sender: Sender, commit: Commit) -> Result<Sent> {
    let Commit { conversation, message_id, epoch, payload, change, .. } = commit;
    // Commits are kept for ever; see `retention_ms`.
    let entry = NewEntry {
        message_id,
        sender,
        epoch,
        body: Body::Commit { payload, change: Box::new(change) },
        expires_in_ms: None,
    };
    let (answer, answered) = oneshot::channel();
    lane.append_checked(server, entry, Reply::Call(answer))?;
    let answer = answered.await.map_err(|_| lost())?;
    if let Err(Error { code: Code::StaleEpoch | Code::Exists | Code::CommitFirst, .. }) = answer {
        pointer::forget_group_info(server, conversation, message_id).await;
    }
    answer
}

/// What a commit may do to a direct conversation or a self chat: its people's devices come and go, nobody else's.
async fn check_change(server: &Server, sender: Sender, commit: &Commit, view: &View) -> Result<()> {
    let bad = |detail: &str| Err(Error::new(Code::BadRequest, detail));
    let (change, roster): (_, &Roster) = (&commit.change, &view.roster);
    if change.external {
        if change.added != [sender] {
            return bad("An external commit adds its sender, and nobody else.");
        }
    } else if !roster.has(sender) {
        return Err(Error::new(Code::Forbidden, "This device is not in the conversation; join by an external commit."));
    } else if roster.leaves_gone(change) {
        return Err(commit_first().at(view.head.epoch, view.head.seq));
    }
    for new in &change.added {
        if roster.member(new.account).is_none() {
            return Err(Error::new(Code::Forbidden, "This conversation has devices of its own people only."));
        }
        if roster.has(*new) && !change.external && !change.removed.contains(new) {
            return bad("A device is added that is there already.");
        }
        if directory::device(&server.store, *new).await?.is_none() {
            return Err(Error::new(Code::NoDevice, "A device that is added does not exist any more."));
        }
    }
    for gone in &change.removed {
        if !roster.has(*gone) {
            return bad("A device is removed that is not there.");
        }
        if gone.account != sender.account && directory::device(&server.store, *gone).await?.is_some() {
            return Err(Error::new(Code::Forbidden, "Other people's devices are removed once they are logged out."));
        }
    }
    Ok(())
}
