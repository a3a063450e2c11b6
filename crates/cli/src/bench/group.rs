//! `tidings bench group`: one member of a group writes, all the others are online.

use super::crowd::Crowd;
use super::error::{BenchError, Result};
use super::founding::{Founded, found};
use super::machine::{self, Machine};
use super::people::People;
use super::report::{quantile_ms, round3};
use super::socket::Dial;
use super::target::{Target, TargetArgs};
use serde::Serialize;
use std::time::{Duration, Instant};
use tidings_proto::limit;

#[derive(clap::Args, Debug)]
pub struct Group {
    /// Members that are online, besides the one who writes
    #[arg(long, default_value_t = 1_000)]
    members: usize,
    /// Messages on their way that not all members have
    #[arg(long, default_value_t = 8)]
    window: usize,
    /// How long to measure under load, after a warm-up
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Bytes of a message's payload
    #[arg(long, default_value_t = 256)]
    payload: usize,
    #[command(flatten)]
    pub target: TargetArgs,
}

const WARM_UP: Duration = Duration::from_secs(2);
/// At a light load: one message on its way at a time, and so long between two.
const LIGHT: Duration = Duration::from_secs(8);
const LIGHT_PAUSE: Duration = Duration::from_millis(100);
/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 200;

#[derive(Debug, Serialize)]
pub struct GroupResult {
    benchmark: &'static str,
    version: &'static str,
    members: usize,
    window: usize,
    payload_bytes: usize,
    messages: u64,
    deliveries: u64,
    /// Members that have a message and confirmed it, per second, under load.
    deliveries_per_s: f64,
    /// Of the whole server process, all threads, user and system; under load.
    server_cpu_us_per_delivery: f64,
    server_cores_used: f64,
    client_cpu_us_per_delivery: f64,
    /// From the sender's socket until the last member has it, at a light load.
    last_member_ms_p50: f64,
    last_member_ms_p99: f64,
    light_server_cpu_us_per_delivery: f64,
    /// The same under load; includes the wait behind the window.
    loaded_last_member_ms_p50: f64,
    loaded_last_member_ms_p99: f64,
    /// How often a member had to ask for entries that it was not sent.
    resyncs: u64,
    /// Making the group, all members in one commit: on the founder's device, and at the server.
    create_request_bytes: usize,
    create_made_ms: u64,
    create_answered_ms: u64,
    server_resident_mib: f64,
    machine: Machine,
}

/// One phase of the run.
struct Phase {
    deliveries: u64,
    messages: u64,
    seconds: f64,
    server_us: f64,
    client_us: f64,
    samples: Vec<Duration>,
}

impl Group {
    /// To be run inside a `LocalSet`.
    pub async fn run(&self) -> Result<GroupResult> {
        self.check()?;
        let machine = machine::machine();
        let target = Target::start(&self.target).await?;
        let result = self.measure(&target, machine).await;
        target.stop(result.is_err()).await;
        result
    }

    fn check(&self) -> Result<()> {
        let files = crate::open_files::raise();
        let wrong = if self.members == 0 || self.members >= limit::PARTICIPANTS_MAX {
            format!("--members is 1 to {}", limit::PARTICIPANTS_MAX - 1)
        } else if self.window == 0 || self.window > limit::APPENDS_IN_FLIGHT_MAX || self.seconds == 0 {
            format!("--window is 1 to {}, --seconds at least 1", limit::APPENDS_IN_FLIGHT_MAX)
        } else if self.payload == 0 || self.payload > limit::PAYLOAD_MAX_BYTES {
            format!("--payload is 1 to {}", limit::PAYLOAD_MAX_BYTES)
        } else if files < self.members as u64 + OTHER_FILES {
            format!("only {files} files may be open at once: raise `ulimit -Hn`")
        } else {
            return Ok(());
        };
        Err(BenchError::Setup(wrong))
    }

    async fn measure(&self, target: &Target, machine: Machine) -> Result<GroupResult> {
        let people = People::new(target)?;
        let members = people.sign_up(self.members + 1, false).await?;
        let founded = found(&people, &members).await?;
        let dial = Dial::new(target.address);
        let mut crowd = Crowd::start(dial, &members, founded.conversation, self.payload).await?;
        machine::until_quiet(target.pid, Duration::from_secs(20)).await?;

        crowd.run.pace(1, LIGHT_PAUSE);
        crowd.keep_up(WARM_UP).await?;
        let light = phase(&mut crowd, target, LIGHT).await?;
        crowd.run.pace(self.window, Duration::ZERO);
        crowd.keep_up(WARM_UP).await?;
        let loaded = phase(&mut crowd, target, Duration::from_secs(self.seconds)).await?;
        let resyncs = crowd.run.resyncs();
        let memory = machine::memory(target.pid)?;
        crowd.finish().await?;
        Ok(self.result(machine, &founded, light, loaded, resyncs, memory.resident_bytes))
    }

    fn result(
        &self,
        machine: Machine,
        founded: &Founded,
        mut light: Phase,
        mut loaded: Phase,
        resyncs: u64,
        resident_bytes: u64,
    ) -> GroupResult {
        let each = |us: f64, phase: &Phase| round3(us / phase.deliveries.max(1) as f64);
        GroupResult {
            benchmark: "group",
            version: env!("CARGO_PKG_VERSION"),
            members: self.members,
            window: self.window,
            payload_bytes: self.payload,
            messages: loaded.messages,
            deliveries: loaded.deliveries,
            deliveries_per_s: (loaded.deliveries as f64 / loaded.seconds).round(),
            server_cpu_us_per_delivery: each(loaded.server_us, &loaded),
            server_cores_used: round3(loaded.server_us / loaded.seconds / 1e6),
            client_cpu_us_per_delivery: each(loaded.client_us, &loaded),
            last_member_ms_p50: quantile_ms(&mut light.samples, 0.5),
            last_member_ms_p99: quantile_ms(&mut light.samples, 0.99),
            light_server_cpu_us_per_delivery: each(light.server_us, &light),
            loaded_last_member_ms_p50: quantile_ms(&mut loaded.samples, 0.5),
            loaded_last_member_ms_p99: quantile_ms(&mut loaded.samples, 0.99),
            resyncs,
            create_request_bytes: founded.request_bytes,
            create_made_ms: founded.made_ms,
            create_answered_ms: founded.answered_ms,
            server_resident_mib: round3(resident_bytes as f64 / 1024.0 / 1024.0),
            machine,
        }
    }
}

async fn phase(crowd: &mut Crowd, target: &Target, time: Duration) -> Result<Phase> {
    let this = std::process::id();
    crowd.run.measure(true);
    let (start, server, client) = (Instant::now(), machine::cpu_us(target.pid)?, machine::cpu_us(this)?);
    let (deliveries, messages) = (crowd.run.deliveries(), crowd.run.sent());
    crowd.keep_up(time).await?;
    crowd.run.measure(false);
    Ok(Phase {
        deliveries: crowd.run.deliveries() - deliveries,
        messages: crowd.run.sent() - messages,
        seconds: start.elapsed().as_secs_f64(),
        server_us: (machine::cpu_us(target.pid)? - server) as f64,
        client_us: (machine::cpu_us(this)? - client) as f64,
        samples: crowd.run.take_samples(),
    })
}
