//! `cargo xtask sim`: whole worlds of clients and a server, with faults, against a model. See `crates/sim`.

use crate::cargo::cargo;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Sim {
    /// How many worlds
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// The first world's seed; random if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Random actions in each world before it is healed
    #[arg(long, default_value_t = 150)]
    steps: u64,
    /// Print every line of the story as it happens
    #[arg(long)]
    aloud: bool,
    /// Go on after a failure and count failures by their kind
    #[arg(long)]
    keep_going: bool,
}

impl Sim {
    pub fn run(&self) -> ExitCode {
        let mut command = cargo();
        command.args(["run", "--quiet", "--package", "tidings-sim", "--"]);
        command.args(["--seeds", &self.seeds.to_string(), "--steps", &self.steps.to_string()]);
        if let Some(seed) = self.seed {
            command.args(["--seed", &seed.to_string()]);
        }
        command.args(self.aloud.then_some("--aloud")).args(self.keep_going.then_some("--keep-going"));
        let succeeded = command.status().is_ok_and(|status| status.success());
        if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
