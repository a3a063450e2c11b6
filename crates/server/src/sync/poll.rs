//! `GET /v1/sync?wait=&limit=`: the same entries as the socket's, for those who poll.

use super::page::page_within;
use super::plan::plan;
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::entry::Sender;
use tidings_proto::http::Synced;
use tidings_proto::limit::{PAGE_MAX_BYTES, PAGE_MAX_ENTRIES, POLL_WAIT_MAX_S};
use tidings_proto::problem::{Code, Problem};
use tidings_store::StoreError;
use tokio::time::Instant;

/// Pages of one answer; all of them together have as many bytes as one page of the socket.
const PAGES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Seconds to wait for something to come; 0 answers at once.
    #[serde(default)]
    wait: u64,
    /// Entries per page.
    limit: Option<u32>,
}

/// What this device has not confirmed with `POST /v1/cursors`; waits for it if there is nothing yet.
#[utoipa::path(
    get, path = "/v1/sync", tag = "sync", params(Wait),
    responses((status = 200, body = Synced), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Query(Wait { wait, limit }): Query<Wait>,
) -> Result<Json<Synced>> {
    if wait > POLL_WAIT_MAX_S {
        return Err(Error::new(Code::BadRequest, format!("A poll waits at most {POLL_WAIT_MAX_S} seconds.")));
    }
    let deadline = Instant::now() + Duration::from_secs(wait);
    // Registered before the first look, so that nothing comes between look and wait.
    let poll = server.hub.poll(sender);
    server.metrics.polls.inc();
    let _waiting = Counted(&server);
    loop {
        let synced = look(&server, sender, limit.unwrap_or(PAGE_MAX_ENTRIES)).await?;
        if !synced.pages.is_empty() || server.hub.is_closing() {
            return Ok(Json(synced));
        }
        if tokio::time::timeout_at(deadline, poll.woken()).await.is_err() {
            return Ok(Json(synced));
        }
        if poll.is_over() {
            return Err(Error::new(
                Code::Replaced,
                "Another poll of this device took its place, or it was logged out.",
            ));
        }
    }
}

struct Counted<'a>(&'a Server);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.metrics.polls.dec();
    }
}

/// What there is now.
async fn look(server: &Server, sender: Sender, limit: u32) -> Result<Synced> {
    let now_ms = server.clock.now_ms();
    let plan = plan(server, sender, None).await?;
    let mut pages = Vec::new();
    let mut caught_up = true;
    let mut bytes_left = PAGE_MAX_BYTES;
    for log in &plan {
        if pages.len() == PAGES_MAX || bytes_left == 0 {
            caught_up = false;
            break;
        }
        let page = page_within(server, sender, log.log, log.cursor, limit, bytes_left).await?;
        let bytes: usize = page.entries.iter().map(|entry| entry.as_bytes().len()).sum();
        bytes_left = bytes_left.saturating_sub(bytes);
        caught_up &= page.caught_up;
        pages.push(page.decode().map_err(|error| StoreError::Damaged(error.to_string()))?);
    }
    Ok(Synced { pages, plan, caught_up, now_ms })
}
