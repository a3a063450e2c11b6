//! What moved since a device was last here: the answer to `hello`.

use super::page::{Range, range};
use crate::error::Result;
use crate::lane::Lane;
use crate::server::Server;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidings_proto::entry::{Entry, Sender};
use tidings_proto::frame::PlanLog;
use tidings_proto::id::{AccountId, LogId};
use tidings_store::{Key, Scan, StoreError, Table};

/// Watermarks that moved this long before the device was last here are told again: clocks of nodes differ, and what
/// moved in memory reaches the store a little later.
const SINCE_SLACK_MS: u64 = 60_000;
/// Rows of one scan.
const SCAN_ROWS: u32 = 1_024;

/// The inbox (if it moved) first, then conversations with entries beyond this device's cursor or with watermarks that
/// moved since `since_ms`; the most recently active first. `None`: for those who do not follow watermarks.
pub async fn plan(server: &Server, sender: Sender, since_ms: Option<u64>) -> Result<Vec<PlanLog>> {
    make(server, sender, since_ms, true).await
}

/// Every log, for a device whose cursors say nothing about what it has.
pub async fn whole(server: &Server, sender: Sender) -> Result<Vec<PlanLog>> {
    make(server, sender, Some(0), false).await
}

async fn make(server: &Server, sender: Sender, since_ms: Option<u64>, has_cursors: bool) -> Result<Vec<PlanLog>> {
    let _turn = server.plans.acquire().await.expect("it is never closed");
    // Cursors that are still in memory count.
    server.lanes.flush(server).await?;
    let cursors = if has_cursors { cursors(server, sender).await? } else { BTreeMap::new() };
    let cursor_of = |log: LogId| cursors.get(&log).copied().unwrap_or(0);
    let mut moved = Vec::new();
    for log in memberships(server, sender.account).await? {
        let lane = server.lanes.open(server, log).await?;
        // A row may point to a conversation that never came to be.
        if let Some((time_ms, plan)) = plan_log(server, sender, &lane, cursor_of(log), since_ms).await? {
            moved.push((time_ms, plan));
        }
        server.lanes.forget(lane);
        tokio::task::coop::consume_budget().await;
    }
    moved.sort_by_key(|(time_ms, plan)| (std::cmp::Reverse(*time_ms), plan.log));
    let inbox = inbox(server, sender, cursor_of(sender.device.into())).await?;
    Ok(inbox.into_iter().chain(moved.into_iter().map(|(_, plan)| plan)).collect())
}

async fn inbox(server: &Server, sender: Sender, cursor: u64) -> Result<Option<PlanLog>> {
    let log: LogId = sender.device.into();
    let Range { head, .. } = range(server, sender, log).await?;
    if head.seq <= cursor {
        return Ok(None);
    }
    let oldest = server.log.page(log, &head, head.seq, 1, 1).await?.oldest;
    Ok(Some(PlanLog { log, head: head.seq, oldest, cursor, unread: 0, watermarks: Vec::new(), floor: None }))
}

async fn plan_log(
    server: &Server,
    sender: Sender,
    lane: &Arc<Lane>,
    cursor: u64,
    since_ms: Option<u64>,
) -> Result<Option<(u64, PlanLog)>> {
    let Ok(view) = lane.reader(sender.account) else { return Ok(None) };
    let (watermarks, floor, moved_ms) = lane.summary(sender.account);
    let marks_moved =
        since_ms.is_some_and(|since_ms| moved_ms > 0 && moved_ms >= since_ms.saturating_sub(SINCE_SLACK_MS));
    let is_member = view.roster.member(sender.account).is_some();
    if view.head.seq <= cursor && (!marks_moved || view.blocking || !is_member) {
        return Ok(None);
    }
    let oldest = server.log.page(lane.log, &view.head, view.head.seq, 1, 1).await?.oldest.max(view.since_seq);
    let read = watermarks.iter().find(|mark| mark.account == sender.account).map_or(0, |mark| mark.read);
    let unread = unread(server, lane, view.head.seq, read.max(view.since_seq - 1)).await?;
    let plan = PlanLog { log: lane.log, head: view.head.seq, oldest, cursor, unread, watermarks, floor };
    Ok(Some((view.head.time_ms, plan)))
}

/// How many entries after `read` count as unread.
async fn unread(server: &Server, lane: &Lane, head_seq: u64, read: u64) -> Result<u64> {
    if read >= head_seq {
        return Ok(0);
    }
    let head = lane.head();
    let last = if head_seq == head.seq { head.ordinal } else { ordinal_at(server, lane, head_seq).await? };
    let first = if read == 0 { 0 } else { ordinal_at(server, lane, read).await? };
    Ok(last.saturating_sub(first))
}

/// How many entries up to and including `seq` count. If that entry has expired, the next one that is kept knows.
async fn ordinal_at(server: &Server, lane: &Lane, seq: u64) -> Result<u64> {
    let head = lane.head();
    let next = server.log.page(lane.log, &head, seq - 1, 1, 1).await?.entries.pop();
    let Some(next) = next else { return Ok(head.ordinal) };
    let entry: Entry = next.decode().map_err(|error| StoreError::Damaged(error.to_string()))?;
    Ok(if entry.seq == seq { entry.ordinal } else { entry.ordinal - u64::from(entry.counts()) })
}

/// All cursors of a device.
async fn cursors(server: &Server, sender: Sender) -> Result<BTreeMap<LogId, u64>> {
    let mut cursors = BTreeMap::new();
    for_each_row(server, Table::Cursor, sender.device.as_bytes(), |row, value| {
        if let (Some(log), Ok(seq)) = (LogId::from_slice(row), value.try_into()) {
            cursors.insert(log, u64::from_be_bytes(seq));
        }
    })
    .await?;
    Ok(cursors)
}

/// Where this device is in one log.
pub async fn cursor(server: &Server, sender: Sender, log: LogId) -> Result<u64> {
    let row = server.store.get(&Key::new(Table::Cursor, sender.device.as_bytes(), log.as_bytes())).await?;
    Ok(row.and_then(|value| value[..].try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// The conversations of an account, and perhaps some that never came to be.
async fn memberships(server: &Server, account: AccountId) -> Result<Vec<LogId>> {
    let mut logs = Vec::new();
    for_each_row(server, Table::Membership, account.as_bytes(), |row, _| logs.extend(LogId::from_slice(row))).await?;
    Ok(logs)
}

async fn for_each_row(
    server: &Server,
    table: Table,
    partition: &[u8],
    mut take: impl FnMut(&[u8], &[u8]),
) -> Result<()> {
    let mut from = Vec::new();
    loop {
        let rows = server.store.scan(&Scan::all(table, partition, SCAN_ROWS).from(&from)).await?;
        rows.iter().for_each(|row| take(&row.row, &row.value));
        match rows.last() {
            Some(last) if rows.len() == SCAN_ROWS as usize => from = [&last.row[..], &[0]].concat(),
            _ => return Ok(()),
        }
    }
}
