//! Search in what this device has.

use super::Agent;
use super::messages::message_id;
use super::people::peer;
use super::problem::{Problem, Result};
use crate::show::plain;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::{Command, Reply};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(search))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Every word has to be there, or a word that begins like it; case and accents do not matter.
    text: String,
    /// Only in this conversation: a number as in `+31687654321`, or a conversation's id.
    with: Option<String>,
    /// Only older ones than the message with this id; without it the newest.
    before: Option<String>,
    /// At most so many; 50 if not given, at most 200.
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct Found {
    /// Oldest first.
    messages: Vec<plain::Message>,
    /// Pass as `before` for older ones; `null` if there are none.
    before: Option<String>,
}

/// Find messages by their words.
#[utoipa::path(get, path = "/v1/search", tag = "messages", params(SearchQuery),
    responses((status = 200, body = Found), (status = "default", body = Problem)))]
async fn search(
    State(agent): State<Arc<Agent>>,
    query: std::result::Result<Query<SearchQuery>, QueryRejection>,
) -> Result<Json<Found>> {
    let Query(SearchQuery { text, with, before, limit }) = query?;
    let of = with.as_deref().map(peer).transpose()?;
    let before = before.as_deref().map(message_id).transpose()?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is 1 to {LIMIT_MAX}.")));
    }
    let found = match agent.handle.ask(Command::Search { text, of, before, limit }).await?? {
        Reply::Messages(found) => found,
        other => return Err(crate::command::unexpected(&other).into()),
    };
    let is_full = found.len() == limit as usize;
    let before = found.first().filter(|_| is_full).map(|first| first.message.to_string());
    Ok(Json(Found { messages: found.iter().map(plain::Message::from).collect(), before }))
}
