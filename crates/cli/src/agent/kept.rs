//! What this account keeps about chats for itself (stars, mutes, …), and what is pinned for everybody.

use super::Agent;
use super::messages::{change, find, message_id};
use super::people::peer;
use super::problem::{Problem, Result};
use crate::command::mute::until_ms;
use crate::show::plain;
use crate::span::Span;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::{Command, Reply};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(star, unstar))
        .routes(routes!(starred))
        .routes(routes!(pin, unpin))
        .routes(routes!(pins))
        .routes(routes!(keep))
}

#[derive(Serialize, ToSchema)]
struct Picked {
    /// Picked last first.
    messages: Vec<plain::Message>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StarredQuery {
    /// Only of this conversation: a number as in `+31687654321`, or a conversation's id.
    with: Option<String>,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
struct Keep {
    /// Nothing rings; for ever, or as long as `mute_for_s` says.
    muted: Option<bool>,
    /// In seconds.
    mute_for_s: Option<u64>,
    /// Out of sight until a new message comes; of a muted conversation for good.
    archived: Option<bool>,
    /// At the top of the list.
    pinned: Option<bool>,
    /// `true`: to come back to it. It ends when a message of it is marked as read.
    unread: Option<bool>,
    /// What was written and not sent; empty throws it away.
    draft: Option<String>,
}

/// Star a message, to find it again. Nobody else is told.
#[utoipa::path(put, path = "/v1/messages/{id}/star", tag = "messages", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn star(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    set_star(&agent, &id?, true).await
}

/// Take the star off.
#[utoipa::path(delete, path = "/v1/messages/{id}/star", tag = "messages", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn unstar(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    set_star(&agent, &id?, false).await
}

async fn set_star(agent: &Agent, id: &str, on: bool) -> Result<StatusCode> {
    let message = find(agent, message_id(id)?).await?.message;
    agent.handle.ask(Command::Star { message, on }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The starred messages.
#[utoipa::path(get, path = "/v1/starred", tag = "messages", params(StarredQuery),
    responses((status = 200, body = Picked), (status = "default", body = Problem)))]
async fn starred(
    State(agent): State<Arc<Agent>>,
    query: std::result::Result<Query<StarredQuery>, QueryRejection>,
) -> Result<Json<Picked>> {
    let of = query?.0.with.as_deref().map(peer).transpose()?;
    picked(&agent, Command::Starred { of }).await
}

/// Pin a message for everybody in its conversation.
///
/// The three that were pinned last stay pinned; in a group those may pin who may edit it.
#[utoipa::path(put, path = "/v1/messages/{id}/pin", tag = "messages", params(("id" = String, Path)),
    responses((status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn pin(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<plain::Message>> {
    change(&agent, &id?, |_, message| Command::Pin { message, on: true }).await
}

/// Take a pinned message off.
#[utoipa::path(delete, path = "/v1/messages/{id}/pin", tag = "messages", params(("id" = String, Path)),
    responses((status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn unpin(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<plain::Message>> {
    change(&agent, &id?, |_, message| Command::Pin { message, on: false }).await
}

/// The pinned messages of a conversation.
#[utoipa::path(get, path = "/v1/conversations/{with}/pins", tag = "conversations", params(("with" = String, Path)),
    responses((status = 200, body = Picked), (status = "default", body = Problem)))]
async fn pins(
    State(agent): State<Arc<Agent>>,
    with: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<Picked>> {
    let of = peer(&with?)?;
    picked(&agent, Command::Pinned { of }).await
}

async fn picked(agent: &Agent, command: Command) -> Result<Json<Picked>> {
    match agent.handle.ask(command).await?? {
        Reply::Messages(messages) => Ok(Json(Picked { messages: messages.iter().map(plain::Message::from).collect() })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Mute, archive, pin, mark as unread, keep a draft: for this account only.
#[utoipa::path(patch, path = "/v1/conversations/{with}", tag = "conversations", params(("with" = String, Path)),
    request_body = Keep, responses((status = 204), (status = "default", body = Problem)))]
async fn keep(
    State(agent): State<Arc<Agent>>,
    with: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<Keep>, JsonRejection>,
) -> Result<StatusCode> {
    let of = peer(&with?)?;
    let Json(Keep { muted, mute_for_s, archived, pinned, unread, draft }) = body?;
    if mute_for_s.is_some() && muted != Some(true) {
        return Err(Problem::bad_request("`mute_for_s` goes with `muted`: true."));
    }
    if unread == Some(false) {
        return Err(Problem::bad_request("`unread` ends when a message is read: POST /v1/messages/{id}/read."));
    }
    let commands = [
        muted.map(|on| Command::Mute { of: of.clone(), until_ms: on.then(|| until_ms(mute_for_s.map(Span))) }),
        archived.map(|on| Command::Archive { of: of.clone(), on }),
        pinned.map(|on| Command::PinConversation { of: of.clone(), on }),
        unread.map(|_| Command::MarkUnread { of: of.clone() }),
        draft.map(|text| Command::SetDraft { of: of.clone(), text }),
    ];
    for command in commands.into_iter().flatten() {
        agent.handle.ask(command).await??;
    }
    Ok(StatusCode::NO_CONTENT)
}
