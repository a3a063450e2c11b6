//! `POST /v1/conversations`: a direct conversation, exactly one per pair, however many try at once; a self chat, one per
//! person. For groups see [`super::group`].

use super::{commit, group, pointer};
use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_proto::entry::{ConversationKind, Sender};
use tidings_proto::frame::Commit;
use tidings_proto::http::{Create, Created};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::problem::{Code, Problem};
use tidings_store::log::Sent;

/// Creates a conversation with its first commit. Of many who try one wins; the others get `exists`.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "conversations", request_body = Create,
    responses((status = 201, body = Created), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<Created>)> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    if body.commit.change.create.is_none() {
        return Err(Error::new(Code::BadRequest, "The commit that creates a conversation says so in its change."));
    }
    let conversation = body.commit.conversation;
    let Sent { seq, time_ms } = create(&server, sender, body.commit).await?;
    Ok((StatusCode::CREATED, Json(Created { conversation, seq, time_ms })))
}

/// Appends the first entry of a conversation.
pub async fn create(server: &Arc<Server>, sender: Sender, commit: Commit) -> Result<Sent> {
    pointer::check_shape(sender, &commit)?;
    if commit.change.create == Some(ConversationKind::Group) {
        return group::create::create(server, sender, commit).await;
    }
    let peer = check_pair(sender, &commit)?;
    let lane = server.lanes.open_direct(server, sender.account, peer).await?;
    let head = lane.head();
    if head.seq > 0
        && let Some(sent) = commit::sent_before(server, &lane, &head, sender, &commit).await?
    {
        return Ok(sent);
    }
    // Before `exists`: who blocks is not to learn what the other one began meanwhile.
    if lane.blocks(sender.account) {
        return Err(Error::new(Code::Blocked, "You have blocked this person; unblock first."));
    }
    if head.seq > 0 {
        return Err(Error::new(Code::Exists, "Somebody was faster: the conversation exists.").at(head.epoch, head.seq));
    }
    if let Err(error) = check_devices(server, sender, peer, &commit).await {
        server.lanes.forget(lane);
        return Err(error);
    }
    let accounts: &[AccountId] = if peer == sender.account { &[peer] } else { &[sender.account, peer] };
    pointer::write_memberships(server, accounts, commit.conversation).await?;
    pointer::write(server, sender, &commit).await?;
    commit::append(server, &lane, sender, commit).await
}

/// The other person, if the commit is of the form that creates a direct conversation; oneself, if it creates a self chat.
fn check_pair(sender: Sender, commit: &Commit) -> Result<AccountId> {
    let bad = |detail: &str| Err(Error::new(Code::BadRequest, detail));
    let change = &commit.change;
    if commit.epoch != 0 || change.external || !change.removed.is_empty() {
        return bad("A conversation begins at epoch 0, and its first commit only adds.");
    }
    if !change.added.contains(&sender) {
        return bad("The first commit names the creating device too.");
    }
    let others: BTreeSet<AccountId> =
        change.added.iter().map(|device| device.account).filter(|account| *account != sender.account).collect();
    let peer = match (change.create, &others.into_iter().collect::<Vec<_>>()[..]) {
        (Some(ConversationKind::Direct), [peer]) => *peer,
        (Some(ConversationKind::Direct), _) => return bad("A direct conversation has devices of exactly two people."),
        (_, []) => sender.account,
        (_, _) => return bad("A self chat has devices of one person."),
    };
    if commit.conversation != ConversationId::direct(sender.account, peer) {
        return bad("The id of a direct conversation or self chat follows from its people.");
    }
    Ok(peer)
}

async fn check_devices(server: &Server, sender: Sender, peer: AccountId, commit: &Commit) -> Result<()> {
    if directory::account(&server.store, peer).await?.is_none() {
        return Err(Error::not_found("account"));
    }
    for device in commit.change.added.iter().filter(|device| **device != sender) {
        if directory::device(&server.store, *device).await?.is_none() {
            return Err(Error::new(Code::NoDevice, "A device that is added does not exist any more."));
        }
    }
    Ok(())
}
