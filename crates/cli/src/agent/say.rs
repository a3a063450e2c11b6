//! What is said otherwise than in a text: forwarded messages, polls, places, contacts.

use super::Agent;
use super::messages::{change, find, message_id};
use super::people::peer;
use super::problem::{Problem, Result};
use crate::show::plain;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use tidings_client::content::Degrees;
use tidings_client::{Command, Reply};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(forward))
        .routes(routes!(hide))
        .routes(routes!(poll))
        .routes(routes!(vote))
        .routes(routes!(location))
        .routes(routes!(contact))
}

#[derive(Deserialize, ToSchema)]
struct Forward {
    /// As in `POST /v1/messages`.
    to: String,
}

#[derive(Deserialize, ToSchema)]
struct NewPoll {
    /// As in `POST /v1/messages`.
    to: String,
    question: String,
    /// 2 to 12 answers.
    options: Vec<String>,
    /// Several may be chosen.
    #[serde(default)]
    multiple: bool,
}

#[derive(Deserialize, ToSchema)]
struct Vote {
    /// By their place in the poll, from 0; none takes the vote back.
    choices: Vec<u32>,
}

#[derive(Deserialize, ToSchema)]
struct NewLocation {
    /// As in `POST /v1/messages`.
    to: String,
    #[schema(value_type = f64)]
    latitude: Degrees,
    #[schema(value_type = f64)]
    longitude: Degrees,
    name: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct NewContact {
    /// As in `POST /v1/messages`.
    to: String,
    name: String,
    phone: String,
}

type Made = Result<(StatusCode, Json<plain::Message>)>;

async fn say(agent: &Agent, command: Command) -> Made {
    match agent.handle.ask(command).await?? {
        Reply::Queued { message, .. } => {
            let message = find(agent, message).await?;
            Ok((StatusCode::CREATED, Json((&message).into())))
        }
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Send a message on. Who gets it sees that it was forwarded, and not from whom.
#[utoipa::path(post, path = "/v1/messages/{id}/forward", tag = "messages", params(("id" = String, Path)),
    request_body = Forward, responses((status = 201, body = plain::Message), (status = "default", body = Problem)))]
async fn forward(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<Forward>, JsonRejection>,
) -> Made {
    let Json(Forward { to }) = body?;
    say(&agent, Command::Forward { message: message_id(&id?)?, to: peer(&to)? }).await
}

/// Delete a message from this device only.
#[utoipa::path(post, path = "/v1/messages/{id}/hide", tag = "messages", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn hide(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    agent.handle.ask(Command::DeleteForMe { message: message_id(&id?)? }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask something, with answers to choose from.
#[utoipa::path(post, path = "/v1/polls", tag = "messages", request_body = NewPoll,
    responses((status = 201, body = plain::Message), (status = "default", body = Problem)))]
async fn poll(State(agent): State<Arc<Agent>>, body: std::result::Result<Json<NewPoll>, JsonRejection>) -> Made {
    let Json(NewPoll { to, question, options, multiple }) = body?;
    say(&agent, Command::CreatePoll { to: peer(&to)?, question, options, multiple }).await
}

/// Choose in a poll; what was chosen before counts no more.
#[utoipa::path(post, path = "/v1/messages/{id}/vote", tag = "messages", params(("id" = String, Path)),
    request_body = Vote, responses((status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn vote(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<Vote>, JsonRejection>,
) -> Result<Json<plain::Message>> {
    let Json(Vote { choices }) = body?;
    change(&agent, &id?, |_, poll| Command::Vote { poll, choices }).await
}

/// Send a place.
#[utoipa::path(post, path = "/v1/locations", tag = "messages", request_body = NewLocation,
    responses((status = 201, body = plain::Message), (status = "default", body = Problem)))]
async fn location(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<NewLocation>, JsonRejection>,
) -> Made {
    let Json(NewLocation { to, latitude, longitude, name }) = body?;
    say(&agent, Command::SendLocation { to: peer(&to)?, latitude, longitude, name }).await
}

/// Send somebody's number.
#[utoipa::path(post, path = "/v1/contact-cards", tag = "messages", request_body = NewContact,
    responses((status = 201, body = plain::Message), (status = "default", body = Problem)))]
async fn contact(State(agent): State<Arc<Agent>>, body: std::result::Result<Json<NewContact>, JsonRejection>) -> Made {
    let Json(NewContact { to, name, phone }) = body?;
    say(&agent, Command::SendContact { to: peer(&to)?, name, phone }).await
}
