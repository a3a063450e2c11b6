//! `cargo xtask crash`: kills the real server at random moments and compares. See `crates/cli/tests/crash`.

use crate::cargo::cargo;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Crash {
    /// How often to kill the server
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Repeats the dice of a former run (not its timing); random if not given
    #[arg(long)]
    seed: Option<u32>,
}

impl Crash {
    pub fn run(&self) -> ExitCode {
        let mut command = cargo();
        command.args(["test", "--quiet", "--package", "tidings-cli", "--test", "crash", "--", "--nocapture"]);
        command.env("TIDINGS_CRASH_ROUNDS", self.rounds.to_string());
        if let Some(seed) = self.seed {
            command.env("TIDINGS_CRASH_SEED", seed.to_string());
        }
        let succeeded = command.status().is_ok_and(|status| status.success());
        if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
