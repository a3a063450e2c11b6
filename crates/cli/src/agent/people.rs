//! People: safety numbers and blocks.

use super::Agent;
use super::problem::{Problem, Result};
use crate::person::Phone;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use tidings_client::{Command, Peer, Reply};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(safety_number))
        .routes(routes!(confirm_safety_number))
        .routes(routes!(block, unblock))
}

#[derive(Serialize, ToSchema)]
struct SafetyNumber {
    /// The digits that both people see, unless somebody sits between them.
    safety_number: String,
    /// Whether this account confirmed it.
    verified: bool,
}

/// The safety number of a person.
#[utoipa::path(get, path = "/v1/people/{person}/safety-number", tag = "people",
    params(("person" = String, Path, description = "A number as in `+31687654321`, or a conversation's id")),
    responses((status = 200, body = SafetyNumber), (status = "default", body = Problem)))]
async fn safety_number(
    State(agent): State<Arc<Agent>>,
    person: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<SafetyNumber>> {
    show(&agent, peer(&person?)?).await
}

/// The safety number was compared, and it is the same.
#[utoipa::path(post, path = "/v1/people/{person}/safety-number/confirm", tag = "people", params(("person" = String, Path)),
    responses((status = 200, body = SafetyNumber), (status = "default", body = Problem)))]
async fn confirm_safety_number(
    State(agent): State<Arc<Agent>>,
    person: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<SafetyNumber>> {
    let who = peer(&person?)?;
    agent.handle.ask(Command::MarkVerified { who: who.clone() }).await??;
    show(&agent, who).await
}

/// Receive nothing more from a person.
#[utoipa::path(put, path = "/v1/blocks/{person}", tag = "people", params(("person" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn block(
    State(agent): State<Arc<Agent>>,
    person: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    agent.handle.ask(Command::Block { who: peer(&person?)? }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Receive from a person again.
#[utoipa::path(delete, path = "/v1/blocks/{person}", tag = "people", params(("person" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn unblock(
    State(agent): State<Arc<Agent>>,
    person: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    agent.handle.ask(Command::Unblock { who: peer(&person?)? }).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn show(agent: &Agent, who: Peer) -> Result<Json<SafetyNumber>> {
    match agent.handle.ask(Command::SafetyNumber { who }).await?? {
        Reply::SafetyNumber { digits, verified } => Ok(Json(SafetyNumber { safety_number: digits, verified })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Whom a program means: a number, `me`, or a conversation's id. Names change under a program's feet, so they do not count.
pub fn peer(text: &str) -> Result<Peer> {
    if text.starts_with('+') {
        let phone: Phone =
            text.parse().map_err(|why| Problem::new(422, "invalid_phone", format!("{text:?}: {why}.")))?;
        return Ok(phone.peer());
    }
    if text == "me" {
        return Ok(Peer::Me);
    }
    let wrong = || Problem::bad_request("Write a number as in +31687654321, `me`, or the id of a conversation.");
    text.parse().map(Peer::Conversation).map_err(|_| wrong())
}

/// A person whom a program means: a number, or an account's id.
pub fn person(text: &str) -> Result<Peer> {
    if text.starts_with('+') {
        return peer(text);
    }
    let wrong = || Problem::bad_request("A person is a number as in +31687654321, or the id of an account.");
    text.parse().map(Peer::Account).map_err(|_| wrong())
}
