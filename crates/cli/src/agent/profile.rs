//! How a group and this account present themselves, and how long messages stay.

use super::Agent;
use super::people::peer;
use super::problem::{Problem, Result};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::{Command, Reply};
use tidings_proto::payload::Payload;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(set_timer))
        .routes(routes!(set_profile))
        .routes(routes!(own, set_own))
        .routes(routes!(picture))
}

#[derive(Deserialize, ToSchema)]
struct SetTimer {
    /// 30 seconds to 90 days; `null`: messages stay.
    seconds: Option<u64>,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
struct SetGroupProfile {
    name: Option<String>,
    /// Empty takes it away.
    description: Option<String>,
    /// WebP, JPEG or PNG of at most 24 KiB, in base64. Empty takes it away.
    #[schema(value_type = Option<String>)]
    picture: Option<Payload>,
}

/// What is absent stays as it is; empty takes it away.
#[derive(Deserialize, ToSchema)]
struct SetProfile {
    name: Option<String>,
    about: Option<String>,
    /// WebP, JPEG or PNG of at most 24 KiB, in base64.
    #[schema(value_type = Option<String>)]
    picture: Option<Payload>,
}

#[derive(Serialize, ToSchema)]
struct OwnProfile {
    name: Option<String>,
    about: Option<String>,
    /// In base64.
    #[schema(value_type = Option<String>)]
    picture: Option<Payload>,
}

/// In base64; `null`: there is none.
#[derive(Serialize, ToSchema)]
struct Picture {
    #[schema(value_type = Option<String>)]
    picture: Option<Payload>,
}

/// Let what is said from now on disappear so long after it was sent. In a group for those who may edit it.
#[utoipa::path(put, path = "/v1/conversations/{with}/timer", tag = "conversations", params(("with" = String, Path)),
    request_body = SetTimer, responses((status = 204), (status = "default", body = Problem)))]
async fn set_timer(
    State(agent): State<Arc<Agent>>,
    with: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<SetTimer>, JsonRejection>,
) -> Result<StatusCode> {
    let of = peer(&with?)?;
    let Json(SetTimer { seconds }) = body?;
    agent.handle.ask(Command::SetTimer { of, seconds }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Change a group's name, description and picture. For those who may edit it.
#[utoipa::path(patch, path = "/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    request_body = SetGroupProfile, responses((status = 204), (status = "default", body = Problem)))]
async fn set_profile(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<SetGroupProfile>, JsonRejection>,
) -> Result<StatusCode> {
    let group = peer(&id?)?;
    let Json(SetGroupProfile { name, description, picture }) = body?;
    agent.handle.ask(Command::SetGroupProfile { group, name, description, picture }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// How this account presents itself to the people it talks to.
#[utoipa::path(get, path = "/v1/profile", tag = "status",
    responses((status = 200, body = OwnProfile), (status = "default", body = Problem)))]
async fn own(State(agent): State<Arc<Agent>>) -> Result<Json<OwnProfile>> {
    match agent.handle.ask(Command::Profile).await?? {
        Reply::Profile { name, about, picture } => Ok(Json(OwnProfile { name, about, picture })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Say how this account wants to be called. The people it talks to are told, the server is not.
#[utoipa::path(patch, path = "/v1/profile", tag = "status", request_body = SetProfile,
    responses((status = 204), (status = "default", body = Problem)))]
async fn set_own(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<SetProfile>, JsonRejection>,
) -> Result<StatusCode> {
    let Json(SetProfile { name, about, picture }) = body?;
    agent.handle.ask(Command::SetProfile { name, about, picture }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture of a group or of the other person.
#[utoipa::path(get, path = "/v1/conversations/{with}/picture", tag = "conversations", params(("with" = String, Path)),
    responses((status = 200, body = Picture), (status = "default", body = Problem)))]
async fn picture(
    State(agent): State<Arc<Agent>>,
    with: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<Picture>> {
    match agent.handle.ask(Command::Picture { of: peer(&with?)? }).await?? {
        Reply::Picture { picture } => Ok(Json(Picture { picture })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}
