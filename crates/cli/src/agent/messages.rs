//! Messages: send, look at, react, edit, delete, mark as read.

use super::Agent;
use super::people::peer;
use super::problem::{Problem, Result};
use crate::command::mention;
use crate::command::send::wait_for_tick;
use crate::preview::{self, Reach};
use crate::show::info::MessageInfo;
use crate::show::plain::{self, Tick};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tidings_client::{Command, Peer, Reply, view};
use tidings_proto::id::MessageId;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TIMEOUT_DEFAULT_S: u64 = 30;
const TIMEOUT_MAX_S: u64 = 300;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(send))
        .routes(routes!(get))
        .routes(routes!(react))
        .routes(routes!(edit))
        .routes(routes!(delete))
        .routes(routes!(read))
        .routes(routes!(info))
}

#[derive(Deserialize, ToSchema)]
struct Send {
    /// A number as in `+31687654321`, `me` (notes to oneself), or the id of a conversation, also of a group.
    to: String,
    text: String,
    /// The id of the message that this one answers.
    reply_to: Option<String>,
    /// Fetch the page behind the first link of the text, and send its title and description along.
    #[serde(default)]
    preview: bool,
    /// Which tick to wait for; without it the answer comes as soon as the message is stored here.
    wait: Option<Tick>,
    /// How long to wait, in seconds; 30 if not given, at most 300.
    timeout_s: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
struct React {
    /// `null` takes the reaction back.
    emoji: Option<String>,
}

#[derive(Deserialize, ToSchema)]
struct Edit {
    text: String,
}

/// Send a message.
///
/// The conversation is made with the first message to a person. 201: the message has the tick that was waited for; 202:
/// not yet, it is kept and goes on by itself.
#[utoipa::path(post, path = "/v1/messages", tag = "messages", request_body = Send, responses(
    (status = 201, body = plain::Message), (status = 202, body = plain::Message, description = "The tick is still awaited"),
    (status = "default", body = Problem)))]
async fn send(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<Send>, JsonRejection>,
) -> Result<(StatusCode, Json<plain::Message>)> {
    let Json(body) = body?;
    if body.text.trim().is_empty() {
        return Err(Problem::bad_request("The text is empty."));
    }
    let reply_to = body.reply_to.as_deref().map(message_id).transpose()?;
    let to = peer(&body.to)?;
    let wait = match body.wait.unwrap_or(Tick::Clock) {
        Tick::Clock => view::Tick::Clock,
        Tick::Sent => view::Tick::Sent,
        Tick::Delivered => view::Tick::Delivered,
        Tick::Read => view::Tick::Read,
        Tick::Failed => return Err(Problem::bad_request("`wait` is one of clock, sent, delivered, read.")),
    };
    let timeout_s = body.timeout_s.unwrap_or(TIMEOUT_DEFAULT_S);
    if timeout_s > TIMEOUT_MAX_S {
        return Err(Problem::bad_request(format!("`timeout_s` is at most {TIMEOUT_MAX_S}.")));
    }
    let mentions = mention::find(&agent.handle, &to, &body.text).await?;
    let preview = match body.preview {
        true => preview::of(&body.text, Reach::Public).await,
        false => None,
    };
    let send = Command::Send { to, text: body.text, reply_to, mentions, preview };
    let id = match agent.handle.ask(send).await?? {
        Reply::Queued { message, .. } => message,
        other => return Err(crate::command::unexpected(&other).into()),
    };
    let message = tokio::select! {
        message = wait_for_tick(&agent.handle, id, wait, Duration::from_secs(timeout_s)) => message?,
        () = agent.ending() => find(&agent, id).await?,
    };
    match message.tick {
        Some(view::Tick::Failed) => {
            Err(Problem::new(409, "not_sent", message.failure.unwrap_or_else(|| "It cannot be sent.".into())))
        }
        Some(tick) if tick < wait => Ok((StatusCode::ACCEPTED, Json((&message).into()))),
        _ => Ok((StatusCode::CREATED, Json((&message).into()))),
    }
}

/// Look at a message.
#[utoipa::path(get, path = "/v1/messages/{id}", tag = "messages", params(("id" = String, Path)), responses(
    (status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn get(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<plain::Message>> {
    let message = find(&agent, message_id(&id?)?).await?;
    Ok(Json((&message).into()))
}

/// React with an emoji, or take the reaction back.
///
/// Answers with the message as this device has it now.
#[utoipa::path(post, path = "/v1/messages/{id}/reactions", tag = "messages", params(("id" = String, Path)),
    request_body = React, responses((status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn react(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<React>, JsonRejection>,
) -> Result<Json<plain::Message>> {
    let Json(React { emoji }) = body?;
    change(&agent, &id?, |to, message| Command::React { to, message, emoji }).await
}

/// Change the text of one's own message.
#[utoipa::path(post, path = "/v1/messages/{id}/edit", tag = "messages", params(("id" = String, Path)),
    request_body = Edit, responses((status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn edit(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<Edit>, JsonRejection>,
) -> Result<Json<plain::Message>> {
    let Json(Edit { text }) = body?;
    change(&agent, &id?, |to, message| Command::Edit { to, message, text }).await
}

/// Delete one's own message for everyone.
#[utoipa::path(post, path = "/v1/messages/{id}/delete", tag = "messages", params(("id" = String, Path)),
    responses((status = 200, body = plain::Message), (status = "default", body = Problem)))]
async fn delete(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<plain::Message>> {
    change(&agent, &id?, |to, message| Command::Delete { to, message }).await
}

/// Tell the sender that this message, and all before it, were seen.
#[utoipa::path(post, path = "/v1/messages/{id}/read", tag = "messages", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn read(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    let message = find(&agent, message_id(&id?)?).await?;
    let to = Peer::Conversation(message.conversation);
    agent.handle.ask(Command::MarkRead { to, up_to: message.message }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Who has a message of this account's, and who has read it.
#[utoipa::path(get, path = "/v1/messages/{id}/info", tag = "messages", params(("id" = String, Path)),
    responses((status = 200, body = MessageInfo), (status = "default", body = Problem)))]
async fn info(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<MessageInfo>> {
    match agent.handle.ask(Command::MessageInfo { message: message_id(&id?)? }).await?? {
        Reply::MessageInfo(info) => Ok(Json((&info).into())),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

pub async fn change(
    agent: &Agent,
    id: &str,
    command: impl FnOnce(Peer, MessageId) -> Command,
) -> Result<Json<plain::Message>> {
    let message = find(agent, message_id(id)?).await?;
    agent.handle.ask(command(Peer::Conversation(message.conversation), message.message)).await??;
    let message = find(agent, message.message).await?;
    Ok(Json((&message).into()))
}

pub async fn find(agent: &Agent, id: MessageId) -> Result<view::Message> {
    match agent.handle.ask(Command::Message { id }).await?? {
        Reply::Message(message) => Ok(message),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

pub fn message_id(text: &str) -> Result<MessageId> {
    text.parse().map_err(|_| Problem::bad_request("A message's id is a UUID."))
}
