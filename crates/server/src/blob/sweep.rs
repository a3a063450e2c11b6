//! Deletes what has expired and what a crash left, once a day's partition of `BlobDue` has come.

use super::delete;
use super::row::{self, DAY_MS};
use crate::error::Result;
use crate::server::Server;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::id::{AccountId, BlobId};
use tidings_store::table::Family;
use tidings_store::{Batch, Key, Scan, Table};

const EVERY: Duration = Duration::from_secs(3_600);
const ROWS: u32 = 128;
/// Which day was looked at last: all before it are done.
const DAY_ROW: &[u8] = b"blobs swept";
/// A server that never swept begins here: days before are over.
const DAYS_BACK: u64 = 400;

/// For ever, until it is dropped.
pub async fn run(server: Arc<Server>) {
    loop {
        match sweep(&server).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "blobs were deleted"),
            Err(error) => tracing::warn!(%error, "blobs could not be swept"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Every day up to today. Returns how many blobs went.
pub async fn sweep(server: &Server) -> Result<u64> {
    let today = server.clock.now_ms() / DAY_MS;
    let from = match server.store.get(&Key::new(Table::Server, [], DAY_ROW)).await? {
        Some(day) => day[..].try_into().map_or(0, u64::from_be_bytes).min(today),
        None => today.saturating_sub(DAYS_BACK),
    };
    let mut gone = 0;
    for day in from..=today {
        gone += one_day(server, day).await?;
    }
    if from < today {
        let batch = Batch::new(Family::Server, []).put(Table::Server, DAY_ROW, today.to_be_bytes().to_vec());
        server.store.commit(batch).await?;
    }
    Ok(gone)
}

async fn one_day(server: &Server, day: u64) -> Result<u64> {
    let mut gone = 0;
    loop {
        let rows = server.store.scan(&Scan::all(Table::BlobDue, day.to_be_bytes(), ROWS)).await?;
        if rows.is_empty() {
            return Ok(gone);
        }
        let mut done = Batch::new(Family::BlobDue, day.to_be_bytes());
        for row in &rows {
            let ids = row.row.split_at_checked(16);
            let ids = ids.and_then(|(owner, blob)| Some((AccountId::from_slice(owner)?, BlobId::from_slice(blob)?)));
            if let Some((account, blob)) = ids {
                gone += u64::from(one(server, account, blob).await?);
            }
            done = done.delete(Table::BlobDue, &row.row);
        }
        server.store.commit(done).await?;
    }
}

/// Whether it was to go.
async fn one(server: &Server, account: AccountId, blob: BlobId) -> Result<bool> {
    match row::find(server, account, blob).await? {
        // Left by a crash, or deleted long ago.
        None => server.store.blobs().delete(account.as_bytes(), blob.as_bytes()).await?,
        Some(row) if row.value.expires_ms.is_some_and(|at_ms| at_ms <= server.clock.now_ms()) => {
            delete::remove(server, account, blob).await?;
            return Ok(true);
        }
        Some(_) => {}
    }
    Ok(false)
}
