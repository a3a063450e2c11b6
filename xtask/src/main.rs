//! Automation of the repository: `cargo xtask --help`.

mod cargo;
mod crash;
mod demo;
mod fuzz;
mod sim;
mod web;

use clap::Parser;
use std::process::ExitCode;

/// Automation of the Tidings repository
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Xtask {
    /// Two people talk by themselves, while one goes offline and the server is killed
    Demo(demo::Demo),
    /// Simulate worlds of clients and a server, with faults
    Sim(sim::Sim),
    /// Kill the real server at random moments
    Crash(crash::Crash),
    /// Feed the decoders of network bytes with noise
    Fuzz(fuzz::Fuzz),
    /// Build the web app into web/dist, which the server embeds
    Web(web::Web),
}

fn main() -> ExitCode {
    match Xtask::parse() {
        Xtask::Demo(demo) => demo.run(),
        Xtask::Sim(sim) => sim.run(),
        Xtask::Crash(crash) => crash.run(),
        Xtask::Fuzz(fuzz) => fuzz.run(),
        Xtask::Web(web) => web.run(),
    }
}
