//! `GET /v1/blocks`, `PUT` and `DELETE /v1/blocks/{account}`.
//!
//! Blocking withholds: while B blocks A, B's devices get nothing of their direct conversation that is younger than the
//! block, and nothing of B's shows there. A notices nothing but one tick. After unblocking B reads on.

use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::lane::{Block, block_row};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::http::Blocks;
use tidings_proto::id::AccountId;
use tidings_proto::limit::BLOCKS_MAX;
use tidings_proto::problem::{Code, Problem};
use tidings_store::table::Family;
use tidings_store::{Batch, Scan, Table};

/// How often to look whether what was taken before a block stands in the log.
const SETTLE_POLL: Duration = Duration::from_millis(1);

/// Whom this account blocks.
#[utoipa::path(
    get, path = "/v1/blocks", tag = "conversations",
    responses((status = 200, body = Blocks), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(State(server): State<Arc<Server>>, Authenticated(sender): Authenticated) -> Result<Json<Blocks>> {
    Ok(Json(Blocks { accounts: blocked(&server, sender.account).await? }))
}

/// Blocks somebody.
#[utoipa::path(
    put, path = "/v1/blocks/{account}", tag = "conversations", params(("account" = AccountId, Path)),
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(account): Path<AccountId>,
) -> Result<StatusCode> {
    if account == sender.account {
        return Err(Error::new(Code::BadRequest, "Nobody blocks themselves."));
    }
    if directory::account(&server.store, account).await?.is_none() {
        return Err(Error::not_found("account"));
    }
    let blocked = blocked(&server, sender.account).await?;
    if blocked.contains(&account) {
        return Ok(StatusCode::NO_CONTENT);
    }
    if blocked.len() >= BLOCKS_MAX {
        return Err(Error::new(Code::TooLarge, format!("At most {BLOCKS_MAX} people can be blocked.")));
    }
    let lane = server.lanes.open_direct(&server, sender.account, account).await?;
    // In memory first: nothing slips through while the row is written.
    lane.block(sender.account);
    let seq = loop {
        match lane.block_seq(sender.account) {
            Some(seq) => break seq,
            None => tokio::time::sleep(SETTLE_POLL).await,
        }
    };
    let row = block_row(Block { time_ms: server.clock.now_ms(), seq });
    let batch = Batch::new(Family::Account, sender.account.as_bytes()).put(Table::Block, account.as_bytes(), row);
    if let Err(error) = server.store.commit(batch).await {
        lane.unblock(sender.account);
        return Err(error.into());
    }
    tell_watchers(&server, sender.account, account);
    Ok(StatusCode::NO_CONTENT)
}

/// Unblocks somebody; the devices of this account then read on from where they were.
#[utoipa::path(
    delete, path = "/v1/blocks/{account}", tag = "conversations", params(("account" = AccountId, Path)),
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn delete(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(account): Path<AccountId>,
) -> Result<StatusCode> {
    let lane = server.lanes.open_direct(&server, sender.account, account).await?;
    let batch = Batch::new(Family::Account, sender.account.as_bytes()).delete(Table::Block, account.as_bytes());
    server.store.commit(batch).await?;
    lane.unblock(sender.account);
    tell_watchers(&server, sender.account, account);
    let head = lane.head();
    if head.seq > 0 {
        server.hub.moved(sender.account, lane.log, head.seq);
        lane.catch_up(&server, sender.account).await?;
    }
    server.lanes.forget(lane);
    Ok(StatusCode::NO_CONTENT)
}

/// Neither sees any more, or sees again, whether the other one is online.
fn tell_watchers(server: &Arc<Server>, one: AccountId, other: AccountId) {
    server.online.announce(server, one);
    server.online.announce(server, other);
}

async fn blocked(server: &Server, account: AccountId) -> Result<Vec<AccountId>> {
    let rows = server.store.scan(&Scan::all(Table::Block, account.as_bytes(), BLOCKS_MAX as u32)).await?;
    Ok(rows.iter().filter_map(|row| AccountId::from_slice(&row.row)).collect())
}
