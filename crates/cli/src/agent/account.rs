//! The account itself: its end, the lock of its number, and reports to those who run the server.

use super::Agent;
use super::people::peer;
use super::problem::{Problem, Result};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::{Command, Reply, view};
use tidings_proto::id::MessageId;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(delete))
        .routes(routes!(lock, set_lock, remove_lock))
        .routes(routes!(keep_lock))
        .routes(routes!(report))
}

#[derive(Deserialize, ToSchema)]
struct DeleteAccount {
    /// The account's own number: nobody deletes one by mistake.
    phone: String,
    /// If the number is locked.
    pin: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Lock {
    on: bool,
    set_ms: Option<u64>,
    /// Somebody says that they forgot the PIN: when the lock opens for them.
    opens_ms: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
struct SetLock {
    /// At least four digits.
    pin: String,
}

#[derive(Deserialize, ToSchema)]
struct PostReport {
    /// A number as in `+31687654321`, or a conversation's id.
    who: String,
    reason: String,
    /// Messages to attach, by id.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    messages: Vec<MessageId>,
    /// If none are named: the last so many that others wrote.
    #[serde(default)]
    last: u32,
}

#[derive(Serialize, ToSchema)]
struct Reported {
    report: String,
}

/// Delete the account: at the server, and on all of its devices. The agent ends.
#[utoipa::path(delete, path = "/v1/account", tag = "status", request_body = DeleteAccount,
    responses((status = 204), (status = "default", body = Problem)))]
async fn delete(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<DeleteAccount>, JsonRejection>,
) -> Result<StatusCode> {
    let Json(DeleteAccount { phone, pin }) = body?;
    agent.handle.ask(Command::DeleteAccount { phone, pin }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a login on the number needs a PIN.
#[utoipa::path(get, path = "/v1/account/lock", tag = "status",
    responses((status = 200, body = Lock), (status = "default", body = Problem)))]
async fn lock(State(agent): State<Arc<Agent>>) -> Result<Json<Lock>> {
    match agent.handle.ask(Command::LockStatus).await?? {
        Reply::Lock(view::Lock { on, set_ms, reset_ms }) => Ok(Json(Lock { on, set_ms, opens_ms: reset_ms })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// From now on a login on the number needs this PIN too.
#[utoipa::path(put, path = "/v1/account/lock", tag = "status", request_body = SetLock,
    responses((status = 204), (status = "default", body = Problem)))]
async fn set_lock(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<SetLock>, JsonRejection>,
) -> Result<StatusCode> {
    let Json(SetLock { pin }) = body?;
    agent.handle.ask(Command::SetLock { pin }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// A code is enough again.
#[utoipa::path(delete, path = "/v1/account/lock", tag = "status",
    responses((status = 204), (status = "default", body = Problem)))]
async fn remove_lock(State(agent): State<Arc<Agent>>) -> Result<StatusCode> {
    agent.handle.ask(Command::RemoveLock).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Who said that they forgot the PIN does not get in.
#[utoipa::path(post, path = "/v1/account/lock/keep", tag = "status",
    responses((status = 204), (status = "default", body = Problem)))]
async fn keep_lock(State(agent): State<Arc<Agent>>) -> Result<StatusCode> {
    agent.handle.ask(Command::EndLockReset).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell those who run the server about a person or a group. They see what is attached, and nothing else.
#[utoipa::path(post, path = "/v1/reports", tag = "people", request_body = PostReport,
    responses((status = 201, body = Reported), (status = "default", body = Problem)))]
async fn report(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<PostReport>, JsonRejection>,
) -> Result<(StatusCode, Json<Reported>)> {
    let Json(PostReport { who, reason, messages, last }) = body?;
    match agent.handle.ask(Command::Report { who: peer(&who)?, reason, messages, last }).await?? {
        Reply::Reported { report } => Ok((StatusCode::CREATED, Json(Reported { report }))),
        other => Err(crate::command::unexpected(&other).into()),
    }
}
