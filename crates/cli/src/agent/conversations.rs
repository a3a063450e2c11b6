//! Conversations and their messages.

use super::Agent;
use super::messages::{find, message_id};
use super::people::peer;
use super::problem::{Problem, Result};
use crate::show::plain;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::{ClientError, Command, Peer, Reply};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(messages)).routes(routes!(typing))
}

#[derive(Serialize, ToSchema)]
struct Conversations {
    /// The most recently active first.
    conversations: Vec<plain::Conversation>,
}

#[derive(Serialize, ToSchema)]
struct Messages {
    /// Oldest first.
    messages: Vec<plain::Message>,
    /// Pass as `before` for older ones; `null` if there are none.
    before: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Only messages before the one with this id; without it the newest.
    before: Option<String>,
    /// At most so many; 50 if not given, at most 500.
    limit: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
struct Typing {
    on: bool,
}

/// All conversations.
#[utoipa::path(get, path = "/v1/conversations", tag = "conversations",
    responses((status = 200, body = Conversations), (status = "default", body = Problem)))]
async fn list(State(agent): State<Arc<Agent>>) -> Result<Json<Conversations>> {
    let rows = crate::feed::conversations(&agent.handle).await?;
    Ok(Json(Conversations { conversations: rows.iter().map(plain::Conversation::from).collect() }))
}

/// Messages of a conversation, page by page from the newest.
#[utoipa::path(get, path = "/v1/conversations/{with}/messages", tag = "conversations",
    params(("with" = String, Path, description = "A number as in `+31687654321`, or a conversation's id"), PageQuery),
    responses((status = 200, body = Messages), (status = "default", body = Problem)))]
async fn messages(
    State(agent): State<Arc<Agent>>,
    with: std::result::Result<Path<String>, PathRejection>,
    query: std::result::Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<Messages>> {
    let of = peer(&with?)?;
    let Query(PageQuery { before, limit }) = query?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is 1 to {LIMIT_MAX}.")));
    }
    let before = match before {
        Some(id) => Some(find(&agent, message_id(&id)?).await?.position),
        None => None,
    };
    let is_person = matches!(of, Peer::Phone(_));
    let page = match agent.handle.ask(Command::Messages { of, before, limit }).await? {
        Ok(Reply::Messages(page)) => page,
        Ok(other) => return Err(crate::command::unexpected(&other).into()),
        // A person who is known, and nothing was said yet.
        Err(ClientError::NoSuchConversation) if is_person => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let is_full = page.len() == limit as usize;
    let before = page.first().filter(|_| is_full).map(|first| first.message.to_string());
    Ok(Json(Messages { messages: page.iter().map(plain::Message::from).collect(), before }))
}

/// Show the other person that something is being written, for some seconds.
#[utoipa::path(post, path = "/v1/conversations/{with}/typing", tag = "conversations", params(("with" = String, Path)),
    request_body = Typing, responses((status = 204), (status = "default", body = Problem)))]
async fn typing(
    State(agent): State<Arc<Agent>>,
    with: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<Typing>, JsonRejection>,
) -> Result<StatusCode> {
    let to = peer(&with?)?;
    let Json(Typing { on }) = body?;
    agent.handle.ask(Command::Typing { to, on }).await??;
    Ok(StatusCode::NO_CONTENT)
}
