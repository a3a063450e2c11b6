//! Who is there, and what this account shares of itself.

use super::Agent;
use super::people::peer;
use super::problem::{Problem, Result};
use crate::show::{presence, time};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::{Command, Reply};
use tidings_proto::http::Audience;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(privacy, set_privacy))
}

/// Nothing of both: not known, or not shared.
#[derive(Serialize, ToSchema)]
struct Presence {
    online: bool,
    /// RFC 3339.
    last_seen: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Privacy {
    /// Who sees whether this account is online, and when it last was: `everyone`, `contacts` or `nobody`.
    last_seen: &'static str,
    /// Whether others see what this account has read.
    read_receipts: bool,
    /// Who finds this account by its number.
    find_me: &'static str,
    /// Who may add it to groups.
    add_me: &'static str,
    /// Who gets to see its picture,
    picture: &'static str,
    /// and its line about itself.
    about: &'static str,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
struct SetPrivacy {
    /// `everyone`, `contacts` or `nobody`.
    #[schema(value_type = Option<String>)]
    last_seen: Option<Audience>,
    read_receipts: Option<bool>,
    #[schema(value_type = Option<String>)]
    find_me: Option<Audience>,
    #[schema(value_type = Option<String>)]
    add_me: Option<Audience>,
    #[schema(value_type = Option<String>)]
    picture: Option<Audience>,
    #[schema(value_type = Option<String>)]
    about: Option<Audience>,
}

/// Whether somebody is online, and when they last were, as far as they share it.
#[utoipa::path(get, path = "/v1/people/{person}/presence", tag = "people", params(("person" = String, Path)),
    responses((status = 200, body = Presence), (status = "default", body = Problem)))]
async fn show(
    State(agent): State<Arc<Agent>>,
    person: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<Presence>> {
    let who = peer(&person?)?;
    match agent.handle.ask(Command::Presence { who }).await?? {
        Reply::Presence(found) => Ok(Json(Presence {
            online: found.is_some_and(|it| it.online),
            last_seen: found.and_then(|it| it.last_seen_ms).map(time::rfc3339),
        })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// What this account shares of itself and so sees of others, who finds it, and who may add it to groups.
#[utoipa::path(get, path = "/v1/privacy", tag = "people",
    responses((status = 200, body = Privacy), (status = "default", body = Problem)))]
async fn privacy(State(agent): State<Arc<Agent>>) -> Result<Json<Privacy>> {
    ask(&agent, Command::Privacy).await
}

/// Share more, or less.
#[utoipa::path(patch, path = "/v1/privacy", tag = "people", request_body = SetPrivacy,
    responses((status = 200, body = Privacy), (status = "default", body = Problem)))]
async fn set_privacy(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<SetPrivacy>, JsonRejection>,
) -> Result<Json<Privacy>> {
    let Json(SetPrivacy { last_seen, read_receipts, find_me, add_me, picture, about }) = body?;
    ask(&agent, Command::SetPrivacy { last_seen, read_receipts, find_me, add_me, picture, about }).await
}

async fn ask(agent: &Agent, command: Command) -> Result<Json<Privacy>> {
    match agent.handle.ask(command).await?? {
        Reply::Privacy { last_seen, read_receipts, find_me, add_me, picture, about } => {
            let [last_seen, find_me, add_me, picture, about] =
                [last_seen, find_me, add_me, picture, about].map(presence::audience);
            Ok(Json(Privacy { last_seen, read_receipts, find_me, add_me, picture, about }))
        }
        other => Err(crate::command::unexpected(&other).into()),
    }
}
