//! `tidings bench`: what a server costs, measured from outside.
//!
//! The server under test is a process of its own ([`target`]), so that its CPU and memory are told apart from the
//! client's; the figures are the kernel's ([`machine`]). People sign up over HTTP ([`people`]) with codes from the SMS
//! webhook ([`sms`]), connect over WebSockets ([`socket`]) and exchange opaque payloads ([`traffic`], [`drain`], [`crowd`] in a
//! group that [`founding`] makes); every message is checked while it is measured. `docs/benchmarks.md` says what each benchmark covers and what not.

mod adding;
mod crowd;
mod drain;
mod error;
mod founding;
mod group;
mod idle;
mod machine;
mod one_to_one;
mod people;
mod report;
mod sms;
mod socket;
mod storm;
mod target;
mod traffic;

use crate::failure::Failure;
use error::{BenchError, Doing, Result};
use serde::Serialize;
use tokio::task::LocalSet;

#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    which: Which,
}

#[derive(clap::Subcommand, Debug)]
enum Which {
    /// Messages between pairs of people: throughput, latency, server CPU per message, draining of offline messages
    OneToOne(one_to_one::OneToOne),
    /// One message to many online members: deliveries per second, server CPU per delivery, time to the last member
    Group(group::Group),
    /// A thousand people added to a group in one go by the command line: time, CPU, size
    Adding(adding::Adding),
    /// Everybody comes back at once and catches up: time, server CPU and memory
    Storm(storm::Storm),
    /// Connections that do nothing: server memory per connection
    Idle(idle::Idle),
}

pub fn run(args: Args) -> std::result::Result<(), Failure> {
    run_which(args.which).map_err(|error| Failure::new(error.to_string()))
}

/// One thread: the client should cost little, and leave the other cores to the server.
fn run_which(which: Which) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().setup("starting the runtime")?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        match which {
            Which::OneToOne(it) => show(it.run(), it.target.json).await,
            Which::Group(it) => show(it.run(), it.target.json).await,
            Which::Adding(it) => show(it.run(), it.target.json).await,
            Which::Storm(it) => show(it.run(), it.target.json).await,
            Which::Idle(it) => show(it.run(), it.target.json).await,
        }
    })
}

async fn show(run: impl Future<Output = Result<impl Serialize>>, json: bool) -> Result<()> {
    tokio::select! {
        result = run => report::print(&result?, json),
        // Dropping the run ends the server and removes its data.
        _ = tokio::signal::ctrl_c() => return Err(BenchError::Setup("stopped".into())),
    }
    Ok(())
}
