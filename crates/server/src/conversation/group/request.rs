//! `GET` and `POST /v1/conversations/{id}/requests`, `DELETE …/requests/{account}`: asking to be let into a group.

use super::join::{group, has_room, invite};
use crate::auth::Authenticated;
use crate::conversation::pointer;
use crate::error::{Error, Result};
use crate::lane::Roster;
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::http::{Join, JoinRequest, JoinRequests};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::limit::{JOIN_REQUEST_LIFETIME_S, JOIN_REQUESTS_MAX};
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Scan, Table};

/// Admins whose devices find a request in their inboxes; the others see it when they look.
const ADMINS_TOLD_MAX: usize = 32;

/// Asks the admins to be let in. Asking again changes nothing.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/requests", tag = "groups",
    params(("id" = ConversationId, Path)), request_body = Join,
    responses((status = 202), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(Join { proof }): Json<Join>,
) -> Result<StatusCode> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    let slot = server.groups.slot(conversation);
    // One at a time, so that the limit holds.
    let turn = slot.state.lock().await;
    let asked = async {
        let (_, roster) = group(&server, conversation).await?;
        invite(&server, &roster, conversation, sender, &proof)?;
        if roster.member(sender.account).is_some() {
            return Err(Error::new(Code::BadRequest, "You are a member already."));
        }
        has_room(&server, &roster)?;
        if note(&server, conversation, sender.account).await? {
            tell_admins(&server, conversation, sender, &roster).await?;
        }
        Ok(StatusCode::ACCEPTED)
    };
    let asked = asked.await;
    drop(turn);
    server.groups.settle(conversation, slot);
    asked
}

/// Writes the request down; false if it stands there already.
async fn note(server: &Server, conversation: ConversationId, account: AccountId) -> Result<bool> {
    let waiting = server.store.scan(&Scan::all(Table::JoinRequest, conversation.as_bytes(), JOIN_REQUESTS_MAX)).await?;
    if waiting.iter().any(|row| row.row[..] == *account.as_bytes()) {
        return Ok(false);
    }
    if waiting.len() >= JOIN_REQUESTS_MAX as usize {
        return Err(Error::new(Code::TooLarge, "Too many people wait to be let into this group."));
    }
    let now_ms = server.clock.now_ms();
    let (row, expires_ms) = (stored::encode(&now_ms), now_ms + JOIN_REQUEST_LIFETIME_S * 1_000);
    let batch = Batch::new(Family::Conversation, conversation.as_bytes())
        .assert(Table::JoinRequest, account.as_bytes(), Assert::Absent)
        .put_until(Table::JoinRequest, account.as_bytes(), row, expires_ms);
    match server.store.commit(batch).await {
        Ok(()) => Ok(true),
        Err(CommitError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn tell_admins(
    server: &Arc<Server>,
    conversation: ConversationId,
    sender: Sender,
    roster: &Roster,
) -> Result<()> {
    let message_id = MessageId::new(server.clock.now_ms(), server.random.bytes());
    let admins = roster.rules.iter().flat_map(|rules| rules.admins.iter()).take(ADMINS_TOLD_MAX);
    let mut told = Vec::new();
    for member in admins.filter_map(|admin| roster.member(*admin)) {
        for device in &member.devices {
            let to = Sender { account: member.account, device: *device };
            told.push(pointer::deliver(server, sender, to, message_id, Body::JoinRequest { conversation }).await?);
        }
    }
    pointer::all(told).await
}

/// Who waits to be let in. For admins.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/requests", tag = "groups", params(("id" = ConversationId, Path)),
    responses((status = 200, body = JoinRequests), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
) -> Result<Json<JoinRequests>> {
    let (_, roster) = group(&server, conversation).await?;
    check_admin(&roster, sender.account)?;
    let rows = server.store.scan(&Scan::all(Table::JoinRequest, conversation.as_bytes(), JOIN_REQUESTS_MAX)).await?;
    let mut requests = Vec::with_capacity(rows.len());
    for row in rows {
        let account = AccountId::from_slice(&row.row).filter(|account| roster.member(*account).is_none());
        let time_ms = stored::decode(Table::JoinRequest, row.value)?.value;
        requests.extend(account.map(|account| JoinRequest { account, time_ms }));
    }
    Ok(Json(JoinRequests { requests }))
}

/// Refuses a request, or takes one's own back.
#[utoipa::path(
    delete, path = "/v1/conversations/{id}/requests/{account}", tag = "groups",
    params(("id" = ConversationId, Path), ("account" = AccountId, Path)),
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn delete(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path((conversation, account)): Path<(ConversationId, AccountId)>,
) -> Result<StatusCode> {
    let (_, roster) = group(&server, conversation).await?;
    if account != sender.account {
        check_admin(&roster, sender.account)?;
    }
    let row = Batch::new(Family::Conversation, conversation.as_bytes()).delete(Table::JoinRequest, account.as_bytes());
    server.store.commit(row).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_admin(roster: &Roster, account: AccountId) -> Result<()> {
    if roster.member(account).is_none() {
        return Err(Error::not_found("group"));
    }
    if !roster.rules.as_ref().is_some_and(|rules| rules.is_admin(account)) {
        return Err(Error::new(Code::Forbidden, "Only an admin can do this."));
    }
    Ok(())
}

/// These people came in: what they asked for is done.
pub async fn answered(server: &Server, conversation: ConversationId, accounts: &[AccountId]) {
    let answer = async {
        let keys =
            accounts.iter().map(|account| Key::new(Table::JoinRequest, conversation.as_bytes(), account.as_bytes()));
        let rows = server.store.get_many(&keys.collect::<Vec<_>>()).await?;
        let asked = accounts.iter().zip(rows).filter(|(_, row)| row.is_some());
        let batch = Batch::new(Family::Conversation, conversation.as_bytes());
        let batch = asked
            .take(JOIN_REQUESTS_MAX as usize)
            .fold(batch, |batch, (account, _)| batch.delete(Table::JoinRequest, account.as_bytes()));
        if batch.is_empty() { Ok(()) } else { server.store.commit(batch).await }
    };
    if let Err(error) = answer.await {
        tracing::debug!(%error, "answered requests stay until they expire");
    }
}
