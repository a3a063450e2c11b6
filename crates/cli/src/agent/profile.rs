//! How a group presents itself, and how long messages stay.

use super::Agent;
use super::people::peer;
use super::problem::{Problem, Result};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use tidings_client::Command;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(set_timer)).routes(routes!(set_profile))
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

/// Change a group's name and description. For those who may edit it.
#[utoipa::path(patch, path = "/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    request_body = SetGroupProfile, responses((status = 204), (status = "default", body = Problem)))]
async fn set_profile(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<SetGroupProfile>, JsonRejection>,
) -> Result<StatusCode> {
    let group = peer(&id?)?;
    let Json(SetGroupProfile { name, description }) = body?;
    agent.handle.ask(Command::SetGroupProfile { group, name, description }).await??;
    Ok(StatusCode::NO_CONTENT)
}
