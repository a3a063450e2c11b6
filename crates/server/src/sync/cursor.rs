//! `POST /v1/cursors`, and the socket's `cursor`: what a device has in its own database.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::http::PutCursors;
use tidings_proto::id::LogId;
use tidings_proto::problem::{Code, Problem};

/// Cursors of one request.
const CURSORS_MAX: usize = 1_024;

/// Confirms what this device has stored; moves the account's delivered watermarks.
#[utoipa::path(
    post, path = "/v1/cursors", tag = "sync", request_body = PutCursors,
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Json(body): Json<PutCursors>,
) -> Result<StatusCode> {
    if body.cursors.len() > CURSORS_MAX {
        return Err(Error::new(Code::TooLarge, format!("At most {CURSORS_MAX} cursors at once.")));
    }
    for at in body.cursors {
        confirm(&server, sender, at.log, at.seq).await?;
        tokio::task::coop::consume_budget().await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Moves the cursor of a device in its inbox or in a conversation of its account.
pub async fn confirm(server: &Arc<Server>, sender: Sender, log: LogId, seq: u64) -> Result<()> {
    if log == sender.device.into() {
        server.lanes.open_inbox(server, sender).await?.mark_inbox(server, sender.device, seq);
        return Ok(());
    }
    let lane = server.lanes.open(server, log).await?;
    let marked = lane.mark(server, sender, seq, 0);
    server.lanes.forget(lane);
    marked
}
