//! `tidings bench one-to-one`: messages between pairs, counted when their receipts are back.

use super::drain::{MESSAGES, drain};
use super::error::{BenchError, Result};
use super::machine::{self, Fsync, Machine};
use super::people::People;
use super::report::{quantile_ms, round3};
use super::socket::Dial;
use super::target::{Target, TargetArgs};
use super::traffic::{Run, Traffic};
use serde::Serialize;
use std::time::{Duration, Instant};
use tidings_proto::limit;

#[derive(clap::Args, Debug)]
pub struct OneToOne {
    /// Pairs of people that write at the same time
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Messages of a pair that are sent and not yet confirmed by a receipt
    #[arg(long, default_value_t = 16)]
    window: usize,
    /// How long to measure, after a warm-up
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Bytes of a message's payload
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Leave out the unloaded round trip and the draining of offline messages
    #[arg(long)]
    load_only: bool,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Before the measured phase: connections warm, caches filled, the log's files grown.
const WARM_UP: Duration = Duration::from_secs(3);
const UNLOADED_WARM_UP: Duration = Duration::from_millis(500);
const UNLOADED: Duration = Duration::from_secs(4);

#[derive(Debug, Serialize)]
pub struct OneToOneResult {
    benchmark: &'static str,
    version: &'static str,
    pairs: usize,
    window: usize,
    payload_bytes: usize,
    messages: u64,
    messages_per_s: f64,
    /// Of the whole server process, all threads, user and system.
    server_cpu_us_per_message: f64,
    /// Of a core, so 2 is two cores.
    server_cores_used: f64,
    client_cpu_us_per_message: f64,
    round_trip_ms_p50: f64,
    round_trip_ms_p99: f64,
    /// Appends that shared one fsync, on average; if the server's metrics are to be had.
    appends_per_fsync: Option<f64>,
    /// How often a recipient had to ask for entries that it was not sent.
    resyncs: u64,
    #[serde(flatten)]
    unloaded: Option<Unloaded>,
    machine: Machine,
}

/// One message on its way at a time, nothing else going on.
#[derive(Debug, Serialize)]
struct Unloaded {
    unloaded_round_trip_ms_p50: f64,
    unloaded_round_trip_ms_p99: f64,
    /// What one durable write of this disk takes; the nearer of the two to what a write-ahead log does.
    fsync_ms_p50: f64,
    fsync_append_ms_p50: f64,
    drain_messages: u64,
    /// From connecting to the last of those messages; median.
    drain_ms: f64,
    drain_ms_max: f64,
}

impl OneToOne {
    /// To be run inside a `LocalSet`.
    pub async fn run(&self) -> Result<OneToOneResult> {
        self.check()?;
        let machine = machine::machine();
        let target = Target::start(&self.target).await?;
        let result = self.measure(&target, machine).await;
        target.stop(result.is_err()).await;
        result
    }

    fn check(&self) -> Result<()> {
        let wrong = if self.pairs == 0 || self.window == 0 || self.seconds == 0 {
            "--pairs, --window and --seconds must be at least 1".into()
        } else if self.window > limit::APPENDS_IN_FLIGHT_MAX {
            format!("--window is at most {}", limit::APPENDS_IN_FLIGHT_MAX)
        } else if self.payload == 0 || self.payload > limit::PAYLOAD_MAX_BYTES {
            format!("--payload is 1 to {}", limit::PAYLOAD_MAX_BYTES)
        } else {
            return Ok(());
        };
        Err(BenchError::Setup(wrong))
    }

    async fn measure(&self, target: &Target, machine: Machine) -> Result<OneToOneResult> {
        let people = People::new(target)?;
        let accounts = people.sign_up(2 * self.pairs + 2, true).await?;
        let mut pairs = people.pair_up(accounts).await?;
        let alone = pairs.split_off(self.pairs);
        let dial = Dial::new(target.address);
        machine::until_quiet(target.pid, Duration::from_secs(10)).await?;
        let mut result = self.load(target, dial, &pairs, machine).await?;
        if !self.load_only {
            // After the load, so that the store's files are as in a server that has been used.
            machine::until_quiet(target.pid, Duration::from_secs(10)).await?;
            let fsync = machine::fsync(target.folder())?;
            let mut round_trips = self.unloaded(dial, &alone).await?;
            let mut drained = drain(dial, &alone[0], self.payload).await?;
            result.unloaded = Some(unloaded(fsync, &mut round_trips, &mut drained));
        }
        Ok(result)
    }

    async fn unloaded(&self, dial: Dial, alone: &[super::people::Pair]) -> Result<Vec<Duration>> {
        let run = Run::new(1, self.payload);
        let mut traffic = Traffic::start(dial, alone, run.clone()).await?;
        traffic.keep_up(UNLOADED_WARM_UP).await?;
        run.measure(true);
        traffic.keep_up(UNLOADED).await?;
        run.measure(false);
        traffic.finish().await?;
        Ok(run.take_samples())
    }

    async fn load(
        &self,
        target: &Target,
        dial: Dial,
        pairs: &[super::people::Pair],
        machine: Machine,
    ) -> Result<OneToOneResult> {
        let this = std::process::id();
        let run = Run::new(self.window, self.payload);
        let mut traffic = Traffic::start(dial, pairs, run.clone()).await?;
        traffic.keep_up(WARM_UP).await?;
        let commits_before = target.commits().await;
        run.measure(true);
        let (start, server, client) = (Instant::now(), machine::cpu_us(target.pid)?, machine::cpu_us(this)?);
        let before = run.confirmed();
        traffic.keep_up(Duration::from_secs(self.seconds)).await?;
        run.measure(false);
        let messages = run.confirmed() - before;
        let server_us = (machine::cpu_us(target.pid)? - server) as f64;
        let client_us = (machine::cpu_us(this)? - client) as f64;
        let seconds = start.elapsed().as_secs_f64();
        let commits_after = target.commits().await;
        traffic.finish().await?;
        let mut samples = run.take_samples();
        let counted = messages.max(1) as f64;
        Ok(OneToOneResult {
            benchmark: "one-to-one",
            version: env!("CARGO_PKG_VERSION"),
            pairs: self.pairs,
            window: self.window,
            payload_bytes: self.payload,
            messages,
            messages_per_s: (messages as f64 / seconds).round(),
            server_cpu_us_per_message: round3(server_us / counted),
            server_cores_used: round3(server_us / seconds / 1e6),
            client_cpu_us_per_message: round3(client_us / counted),
            round_trip_ms_p50: quantile_ms(&mut samples, 0.5),
            round_trip_ms_p99: quantile_ms(&mut samples, 0.99),
            appends_per_fsync: commits_before.zip(commits_after).and_then(|(before, after)| after.since(before)),
            resyncs: run.resyncs(),
            unloaded: None,
            machine,
        })
    }
}

fn unloaded(fsync: Fsync, round_trips: &mut [Duration], drained: &mut [Duration]) -> Unloaded {
    Unloaded {
        unloaded_round_trip_ms_p50: quantile_ms(round_trips, 0.5),
        unloaded_round_trip_ms_p99: quantile_ms(round_trips, 0.99),
        fsync_ms_p50: fsync.overwrite_ms_p50,
        fsync_append_ms_p50: fsync.append_ms_p50,
        drain_messages: MESSAGES,
        drain_ms: quantile_ms(drained, 0.5),
        drain_ms_max: quantile_ms(drained, 1.0),
    }
}
