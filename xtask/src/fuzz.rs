//! `cargo xtask fuzz`: every fuzz target in turn, from well-formed seeds. Needs the nightly toolchain and cargo-fuzz.
//!
//! Without the address sanitizer: the decoders have no unsafe code, and run several times as fast.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

/// A single input that takes longer is a finding.
const INPUT_TIMEOUT_S: u64 = 10;
/// An input that makes the decoder hold more is a finding.
const MEMORY_MAX_MIB: u64 = 1_024;

#[derive(clap::Args, Debug)]
pub struct Fuzz {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only the targets whose name contains this
    #[arg(long)]
    only: Option<String>,
}

impl Fuzz {
    /// Ends at the first finding; cargo-fuzz says where it kept the input.
    pub fn run(&self) -> ExitCode {
        match self.run_all() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("fuzz: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn run_all(&self) -> Result<(), String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let targets = targets(&folder)?;
        let wanted = |name: &&String| self.only.as_ref().is_none_or(|only| name.contains(only));
        let chosen: Vec<&String> = targets.iter().filter(wanted).collect();
        if chosen.is_empty() {
            return Err(format!("no target has that in its name; there are: {}", targets.join(", ")));
        }
        cargo(&folder, &["run", "--quiet", "--all-features", "--bin", "seeds"])?;
        for target in chosen {
            println!("\n== {target}, {} s", self.seconds);
            let limits = [
                format!("-max_total_time={}", self.seconds),
                format!("-timeout={INPUT_TIMEOUT_S}"),
                format!("-rss_limit_mb={MEMORY_MAX_MIB}"),
            ];
            let mut arguments = vec!["fuzz", "run", "--all-features", "--sanitizer", "none", target, "--"];
            arguments.extend(limits.iter().map(String::as_str));
            cargo(&folder, &arguments)?;
        }
        Ok(())
    }
}

fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let files = fs::read_dir(folder.join("fuzz_targets")).map_err(|error| format!("reading fuzz_targets: {error}"))?;
    let paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    let mut names: Vec<String> =
        paths.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// With the nightly toolchain, whatever toolchain runs this.
fn cargo(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let status: std::io::Result<ExitStatus> = Command::new("rustup")
        .args(["run", "nightly", "cargo"])
        .args(arguments)
        .current_dir(folder)
        // Set by the cargo that runs this; it would choose the stable compiler.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {}: {status}", arguments.join(" "))),
        Err(error) => Err(format!("rustup run nightly cargo: {error}")),
    }
}
