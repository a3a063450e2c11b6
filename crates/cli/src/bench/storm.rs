//! `tidings bench storm`: everybody comes back at once, and all of them have something to catch up with.
//!
//! The server is restarted before, so nothing is in its memory. A client is caught up when it has said hello, read its
//! plan, read every log in it to the end, and confirmed.

use super::error::{BenchError, Doing, Result};
use super::machine::{self, Machine};
use super::people::{Pair, People, Person, message_id, progress};
use super::report::{quantile_ms, round3};
use super::socket::{Dial, Socket};
use super::target::{Target, TargetArgs};
use super::traffic::{append, payload};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use std::time::{Duration, Instant};
use tidings_proto::frame::{ClientFrame, PlanLog, ServerFrame};
use tidings_proto::limit;
use tokio::task::JoinSet;

#[derive(clap::Args, Debug)]
pub struct Storm {
    /// Devices that come back
    #[arg(long, default_value_t = 5_000)]
    clients: usize,
    /// Conversations of each that moved meanwhile
    #[arg(long, default_value_t = 20)]
    conversations: usize,
    /// Messages in each of them, besides the commit that made it
    #[arg(long, default_value_t = 3)]
    messages: u64,
    #[command(flatten)]
    pub target: TargetArgs,
}

const PAYLOAD_BYTES: usize = 256;
/// Senders that fill the conversations at the same time.
const SENDERS: usize = 16;
const OTHER_FILES: u64 = 200;
/// A client that is not caught up by then has failed.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Serialize)]
pub struct StormResult {
    benchmark: &'static str,
    version: &'static str,
    clients: usize,
    conversations_per_client: usize,
    messages_per_conversation: u64,
    /// From the first connection until the last client is caught up.
    all_caught_up_s: f64,
    /// Of one client, from its connecting.
    caught_up_ms_p50: f64,
    caught_up_ms_p99: f64,
    caught_up_ms_max: f64,
    pages: u64,
    entries: u64,
    server_cpu_s: f64,
    server_cpu_ms_per_client: f64,
    client_cpu_s: f64,
    server_resident_before_mib: f64,
    server_resident_after_mib: f64,
    machine: Machine,
}

/// What one client found.
struct CaughtUp {
    took: Duration,
    logs: u64,
    pages: u64,
    entries: u64,
}

impl Storm {
    /// To be run inside a `LocalSet`.
    pub async fn run(&self) -> Result<StormResult> {
        if self.conversations == 0
            || self.clients <= self.conversations
            || !(self.clients * self.conversations).is_multiple_of(2)
        {
            return Err(BenchError::Setup("--clients must exceed --conversations, and their product be even".into()));
        }
        let files = crate::open_files::raise();
        if files < self.clients as u64 + OTHER_FILES {
            return Err(BenchError::Setup(format!("only {files} files may be open at once: raise `ulimit -Hn`")));
        }
        let machine = machine::machine();
        let mut target = Target::start(&self.target).await?;
        let result = self.measure(&mut target, machine).await;
        target.stop(result.is_err()).await;
        result
    }

    async fn measure(&self, target: &mut Target, machine: Machine) -> Result<StormResult> {
        let people = People::new(target)?;
        let clients = people.sign_up(self.clients, true).await?;
        let pairs = people.pair(ring(&clients, self.conversations)).await?;
        self.fill(target, pairs).await?;
        target.restart().await?;
        machine::until_quiet(target.pid, Duration::from_secs(20)).await?;

        let before = machine::memory(target.pid)?;
        let this = std::process::id();
        let (start, server, client) = (Instant::now(), machine::cpu_us(target.pid)?, machine::cpu_us(this)?);
        let dial = Dial { read_buffer_bytes: 16 * 1024, ..Dial::new(target.address) };
        let mut coming = JoinSet::new();
        for person in clients {
            coming.spawn_local(async move { tokio::time::timeout(PATIENCE, come_back(dial, person)).await });
        }
        let mut found = Vec::with_capacity(self.clients);
        let mut held = Vec::with_capacity(self.clients);
        while let Some(ended) = coming.join_next().await {
            let ended = ended.setup("a client's task")?;
            let (caught_up, socket) = ended.server("waiting for a client to catch up")??;
            found.push(caught_up);
            // Like real clients they stay.
            held.push(socket);
            progress("caught up", found.len(), self.clients);
        }
        let seconds = start.elapsed().as_secs_f64();
        let server_s = (machine::cpu_us(target.pid)? - server) as f64 / 1e6;
        let client_s = (machine::cpu_us(this)? - client) as f64 / 1e6;
        let after = machine::memory(target.pid)?;
        self.check(&found)?;
        let mut took: Vec<Duration> = found.iter().map(|it| it.took).collect();
        let mib = |bytes: u64| round3(bytes as f64 / 1024.0 / 1024.0);
        Ok(StormResult {
            benchmark: "storm",
            version: env!("CARGO_PKG_VERSION"),
            clients: self.clients,
            conversations_per_client: self.conversations,
            messages_per_conversation: self.messages,
            all_caught_up_s: round3(seconds),
            caught_up_ms_p50: quantile_ms(&mut took, 0.5),
            caught_up_ms_p99: quantile_ms(&mut took, 0.99),
            caught_up_ms_max: quantile_ms(&mut took, 1.0),
            pages: found.iter().map(|it| it.pages).sum(),
            entries: found.iter().map(|it| it.entries).sum(),
            server_cpu_s: round3(server_s),
            server_cpu_ms_per_client: round3(server_s * 1e3 / self.clients as f64),
            client_cpu_s: round3(client_s),
            server_resident_before_mib: mib(before.resident_bytes),
            server_resident_after_mib: mib(after.resident_bytes),
            machine,
        })
    }

    fn check(&self, found: &[CaughtUp]) -> Result<()> {
        // The inbox with its welcomes is a log too, of those who were welcomed.
        let least = self.conversations as u64;
        if let Some(other) = found.iter().find(|it| it.logs < least || it.logs > least + 1) {
            return Err(BenchError::Broken(format!("{} logs moved for a client instead of {least}", other.logs)));
        }
        let entries: u64 = found.iter().map(|it| it.entries).sum();
        let conversations = (self.clients * self.conversations / 2) as u64;
        // Each conversation is read by two, and has welcomed one.
        let expected = conversations * (2 * (1 + self.messages) + 1);
        if entries != expected {
            return Err(BenchError::Broken(format!("{entries} entries were read, {expected} were there")));
        }
        Ok(())
    }

    /// Puts the messages into the conversations.
    async fn fill(&self, target: &Target, pairs: Vec<Pair>) -> Result<()> {
        let (count, dial) = (pairs.len(), Dial::new(target.address));
        let mut by_sender: Vec<Vec<Pair>> = Vec::new();
        for pair in pairs {
            match by_sender.last_mut() {
                Some(some) if some[0].from.device == pair.from.device => some.push(pair),
                _ => by_sender.push(vec![pair]),
            }
        }
        let mut done = 0;
        let mut filling = stream::iter(by_sender)
            .map(|pairs| async move { fill_from(dial, &pairs, self.messages).await.map(|()| pairs.len()) })
            .buffer_unordered(SENDERS);
        while let Some(filled) = filling.try_next().await? {
            done += filled;
            progress("filled", done, count);
        }
        Ok(())
    }
}

/// Each with as many others: the next half of them around a ring.
fn ring(clients: &[Person], conversations: usize) -> Vec<(Person, Person)> {
    let count = clients.len();
    let mut pairs = Vec::with_capacity(count * conversations / 2);
    for (at, person) in clients.iter().enumerate() {
        for step in 1..=conversations / 2 {
            pairs.push((person.clone(), clients[(at + step) % count].clone()));
        }
        // With an odd number, the one opposite too.
        if !conversations.is_multiple_of(2) && at < count / 2 {
            pairs.push((person.clone(), clients[at + count / 2].clone()));
        }
    }
    pairs
}

async fn fill_from(dial: Dial, pairs: &[Pair], messages: u64) -> Result<()> {
    let (mut socket, _) = Socket::open(dial, &pairs[0].from.token).await?;
    let mut waiting = 0;
    for pair in pairs {
        for number in 0..messages {
            let payload = payload(pair.conversation, number, PAYLOAD_BYTES);
            socket.feed(&append(pair.conversation, message_id(), payload)).await?;
            waiting += 1;
            while waiting >= limit::APPENDS_IN_FLIGHT_MAX {
                socket.flush().await?;
                waiting -= usize::from(matches!(socket.next().await?, ServerFrame::Appended { .. }));
            }
        }
    }
    socket.flush().await?;
    while waiting > 0 {
        waiting -= usize::from(matches!(socket.next().await?, ServerFrame::Appended { .. }));
    }
    socket.close().await;
    Ok(())
}

async fn come_back(dial: Dial, person: Person) -> Result<(CaughtUp, Socket)> {
    let start = Instant::now();
    let (mut socket, plan) = Socket::open(dial, &person.token).await?;
    let (mut pages, mut entries) = (0, 0);
    let logs: Vec<PlanLog> = plan.into_iter().filter(|log| log.head > log.cursor).collect();
    for log in &logs {
        let mut cursor = log.cursor;
        loop {
            socket.send(&ClientFrame::Sync { log: log.log, after: cursor, limit: limit::PAGE_MAX_ENTRIES }).await?;
            let page = loop {
                match socket.next().await? {
                    ServerFrame::Page(page) if page.log == log.log => break page,
                    _ => {}
                }
            };
            pages += 1;
            for entry in &page.entries {
                if entry.seq != cursor + 1 {
                    return Err(BenchError::Broken(format!("a page has seq {} after seq {cursor}", entry.seq)));
                }
                cursor = entry.seq;
                entries += 1;
            }
            if page.caught_up {
                break;
            }
        }
        socket.feed(&ClientFrame::Cursor { log: log.log, seq: cursor }).await?;
    }
    socket.flush().await?;
    Ok((CaughtUp { took: start.elapsed(), logs: logs.len() as u64, pages, entries }, socket))
}
