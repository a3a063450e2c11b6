//! A device comes back to 1,000 messages: how long from connecting until it has the last one.

use super::error::{BenchError, Result};
use super::people::{Pair, message_id};
use super::socket::{Dial, Socket};
use super::traffic::{append, check, payload};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tidings_proto::frame::{ClientFrame, ServerFrame};
use tidings_proto::id::LogId;
use tidings_proto::limit;

pub const MESSAGES: u64 = 1_000;
/// The median of so many is taken.
const ROUNDS: usize = 7;
/// Pages are large, and come one after another.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Each round: the sender appends while the recipient is away, then the recipient connects, reads the plan, pages to
/// the end and confirms.
pub async fn drain(dial: Dial, pair: &Pair, payload_bytes: usize) -> Result<Vec<Duration>> {
    let dial = Dial { read_buffer_bytes: READ_BUFFER_BYTES, ..dial };
    let log = LogId::from(pair.conversation);
    // The recipient has all that is there before the first round.
    let (mut socket, plan) = Socket::open(dial, &pair.to.token).await?;
    let mut cursor = plan.iter().find(|it| it.log == log).map_or(0, |it| it.head);
    confirm(&mut socket, log, cursor).await?;
    socket.close().await;
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        send_all(dial, pair, payload_bytes).await?;
        let start = Instant::now();
        let (mut socket, plan) = Socket::open(dial, &pair.to.token).await?;
        let head = plan.iter().find(|it| it.log == log).map_or(0, |it| it.head);
        if head != cursor + MESSAGES {
            return Err(BenchError::Broken(format!(
                "{MESSAGES} messages after seq {cursor}, but the plan says {head}"
            )));
        }
        read_all(&mut socket, log, cursor, head, payload_bytes).await?;
        took.push(start.elapsed());
        cursor = head;
        confirm(&mut socket, log, cursor).await?;
        socket.close().await;
    }
    Ok(took)
}

async fn send_all(dial: Dial, pair: &Pair, payload_bytes: usize) -> Result<()> {
    let (mut socket, _) = Socket::open(dial, &pair.from.token).await?;
    let mut under_way = HashSet::new();
    let mut next = 0;
    while next < MESSAGES || !under_way.is_empty() {
        while next < MESSAGES && under_way.len() < limit::APPENDS_IN_FLIGHT_MAX {
            let message_id = message_id();
            under_way.insert(message_id);
            let payload = payload(pair.conversation, next, payload_bytes);
            socket.feed(&append(pair.conversation, message_id, payload)).await?;
            next += 1;
        }
        socket.flush().await?;
        if let ServerFrame::Appended { message_id, .. } = socket.next().await? {
            under_way.remove(&message_id);
        }
    }
    socket.close().await;
    Ok(())
}

async fn read_all(socket: &mut Socket, log: LogId, start: u64, head: u64, payload_bytes: usize) -> Result<()> {
    let mut cursor = start;
    while cursor < head {
        socket.send(&ClientFrame::Sync { log, after: cursor, limit: limit::PAGE_MAX_ENTRIES }).await?;
        let page = loop {
            match socket.next().await? {
                ServerFrame::Page(page) if page.log == log => break page,
                _ => {}
            }
        };
        for entry in &page.entries {
            if entry.seq != cursor + 1 {
                return Err(BenchError::Broken(format!("a page has seq {} after seq {cursor}", entry.seq)));
            }
            check(entry, cursor - start, payload_bytes)?;
            cursor = entry.seq;
        }
        if page.caught_up && cursor != head {
            return Err(BenchError::Broken(format!("caught up at seq {cursor}, but the head is {head}")));
        }
    }
    Ok(())
}

/// Confirms, and waits until the server has taken it.
async fn confirm(socket: &mut Socket, log: LogId, seq: u64) -> Result<()> {
    socket.feed(&ClientFrame::Cursor { log, seq }).await?;
    socket.send(&ClientFrame::Ping { nonce: seq }).await?;
    while !matches!(socket.next().await?, ServerFrame::Pong { .. }) {}
    Ok(())
}
