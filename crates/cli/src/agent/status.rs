//! How the agent stands.

use super::Agent;
use super::problem::{Problem, Result};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(status))
}

#[derive(Serialize, ToSchema)]
struct Status {
    phone: String,
    account: Option<String>,
    device: Option<String>,
    server: String,
    /// `offline`, `connecting`, `catching_up` or `live`.
    connection: &'static str,
    /// Messages that wait to be sent.
    outbox: u64,
    /// Of all conversations that are not archived.
    unread: u64,
    /// How many of them are in muted conversations.
    unread_muted: u64,
}

/// The account, the connection, and what waits.
#[utoipa::path(get, path = "/v1/status", tag = "status",
    responses((status = 200, body = Status), (status = "default", body = Problem)))]
async fn status(State(agent): State<Arc<Agent>>) -> Result<Json<Status>> {
    let status = crate::command::status(&agent.handle).await?;
    Ok(Json(Status {
        phone: agent.profile.phone.to_string(),
        account: status.account.map(|it| it.to_string()),
        device: status.device.map(|it| it.to_string()),
        server: agent.profile.server.to_string(),
        connection: crate::feed::word(status.connection),
        outbox: status.outbox,
        unread: status.unread,
        unread_muted: status.unread_muted,
    }))
}
