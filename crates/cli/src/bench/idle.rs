//! `tidings bench idle`: what a connection costs that does nothing.
//!
//! A server that was measured right after the sign-ups would hide connections in memory that the sign-ups left free, so
//! a server of our own is restarted in between; the first few connections are made before the first look, so that what
//! every server needs once is not counted as theirs.

use super::error::{BenchError, Result};
use super::machine::{self, Machine};
use super::people::{Pair, People, Person, progress};
use super::report::round3;
use super::socket::{Dial, Socket};
use super::target::{Target, TargetArgs};
use super::traffic::{Run, Traffic};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[derive(clap::Args, Debug)]
pub struct Idle {
    /// Devices that are connected and do nothing
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// How long they stay idle before the second look at the server's memory
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Connections before the first look at memory.
const WARM: usize = 50;
/// Handshakes under way at once.
const PARALLEL: usize = 64;
/// Each local address has some 28,000 ports.
const CONNECTIONS_PER_ADDRESS: usize = 20_000;
/// Pairs among the idle that exchange a message, to show that the connections are alive.
const TALKING_PAIRS: usize = 10;
/// Files that a process has open besides.
const OTHER_FILES: u64 = 200;

#[derive(Debug, Serialize)]
pub struct IdleResult {
    benchmark: &'static str,
    version: &'static str,
    connections: usize,
    /// Growth of the server's resident memory per connection.
    idle_bytes_per_connection: u64,
    idle_anonymous_bytes_per_connection: u64,
    /// Growth of the kernel's own memory per connection, both ends of it, of the whole machine: a rough figure.
    kernel_bytes_per_connection: Option<u64>,
    connects_per_s: f64,
    server_cpu_us_per_connect: f64,
    /// While nothing happens.
    idle_cpu_percent: f64,
    server_resident_mib: f64,
    machine: Machine,
}

impl Idle {
    /// To be run inside a `LocalSet`.
    pub async fn run(&self) -> Result<IdleResult> {
        if self.connections < 4 * TALKING_PAIRS {
            return Err(BenchError::Setup(format!("--connections is at least {}", 4 * TALKING_PAIRS)));
        }
        let files = crate::open_files::raise();
        if files < self.connections as u64 + OTHER_FILES {
            return Err(BenchError::Setup(format!(
                "only {files} files may be open at once, too few for {} connections: raise `ulimit -Hn`",
                self.connections
            )));
        }
        let machine = machine::machine();
        let mut target = Target::start(&self.target).await?;
        let result = self.measure(&mut target, machine).await;
        target.stop(result.is_err()).await;
        result
    }

    async fn measure(&self, target: &mut Target, machine: Machine) -> Result<IdleResult> {
        let people = People::new(target)?;
        let mut idle = people.sign_up(self.connections + WARM, false).await?;
        let talking = people.pair_up(people.sign_up(2 * TALKING_PAIRS, true).await?).await?;
        target.restart().await?;
        let warm = idle.split_off(self.connections);
        let mut held = JoinSet::new();
        hold(target, warm, &mut held).await?;
        talk(target, &talking).await?;
        machine::until_quiet(target.pid, Duration::from_secs(20)).await?;

        let (before, slab_before) = (machine::memory(target.pid)?, machine::kernel_slab_bytes());
        let (start, cpu) = (Instant::now(), machine::cpu_us(target.pid)?);
        hold(target, idle, &mut held).await?;
        let connect_s = start.elapsed().as_secs_f64();
        let connect_us = machine::cpu_us(target.pid)? - cpu;
        talk(target, &talking).await?;
        machine::until_quiet(target.pid, Duration::from_secs(20)).await?;
        let (start, cpu) = (Instant::now(), machine::cpu_us(target.pid)?);
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        let idle_us = (machine::cpu_us(target.pid)? - cpu) as f64;
        let idle_cpu_percent = round3(idle_us / start.elapsed().as_micros() as f64 * 100.0);
        let (after, slab_after) = (machine::memory(target.pid)?, machine::kernel_slab_bytes());
        if let Some(ended) = held.try_join_next() {
            return Err(match ended {
                Ok(error) => error,
                Err(error) => BenchError::Setup(format!("a connection's task failed: {error}")),
            });
        }
        let each = |before: u64, after: u64| after.saturating_sub(before) / self.connections as u64;
        Ok(IdleResult {
            benchmark: "idle",
            version: env!("CARGO_PKG_VERSION"),
            connections: self.connections,
            idle_bytes_per_connection: each(before.resident_bytes, after.resident_bytes),
            idle_anonymous_bytes_per_connection: each(before.anonymous_bytes, after.anonymous_bytes),
            kernel_bytes_per_connection: slab_before.zip(slab_after).map(|(before, after)| each(before, after)),
            connects_per_s: (self.connections as f64 / connect_s).round(),
            server_cpu_us_per_connect: round3(connect_us as f64 / self.connections as f64),
            idle_cpu_percent,
            server_resident_mib: round3(after.resident_bytes as f64 / 1024.0 / 1024.0),
            machine,
        })
    }
}

/// Connects these devices, and keeps their connections open (and their pings answered) in tasks that end only when
/// something goes wrong.
async fn hold(target: &Target, people: Vec<Person>, held: &mut JoinSet<BenchError>) -> Result<()> {
    let count = people.len();
    let server = target.address;
    let mut opened = stream::iter(people.into_iter().enumerate())
        .map(|(number, person)| async move {
            let third = 1 + (number / CONNECTIONS_PER_ADDRESS) as u8;
            let source = server.ip().is_loopback().then_some(IpAddr::V4(Ipv4Addr::new(127, 0, third, 1)));
            let dial = Dial { source, read_buffer_bytes: 512, ..Dial::new(server) };
            Socket::open(dial, &person.token).await
        })
        .buffer_unordered(PARALLEL);
    let mut done = 0;
    while let Some(socket) = opened.next().await {
        let (mut socket, _) = socket?;
        held.spawn_local(async move {
            loop {
                if let Err(error) = socket.next().await {
                    return error;
                }
            }
        });
        done += 1;
        if count > WARM {
            progress("connections", done, count);
        }
    }
    Ok(())
}

/// A message and its receipt for each of a few pairs.
async fn talk(target: &Target, pairs: &[Pair]) -> Result<()> {
    let run = Run::new(1, 256);
    let mut traffic = Traffic::start(Dial::new(target.address), pairs, run.clone()).await?;
    while run.confirmed() < pairs.len() as u64 {
        traffic.keep_up(Duration::from_millis(20)).await?;
    }
    traffic.finish().await
}
