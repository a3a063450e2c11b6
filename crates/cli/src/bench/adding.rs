//! `tidings bench adding`: a whole village is added to a group in one go, from the command line.
//!
//! The people are accounts with credentials and key packages; whoever adds them is a real `tidings`: it looks the numbers up,
//! claims and checks everybody's key package, and makes one commit. No limit is raised but those on signing up.

use super::error::{BenchError, Doing, Result};
use super::founding;
use super::machine::{self, Machine};
use super::people::People;
use super::report::round3;
use super::target::{Target, TargetArgs};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidings_proto::limit::PARTICIPANTS_MAX;
use tokio::process::Command;

#[derive(clap::Args, Debug)]
pub struct Adding {
    /// People who are added at once
    #[arg(long, default_value_t = PARTICIPANTS_MAX - 1)]
    members: usize,
    #[command(flatten)]
    pub target: TargetArgs,
}

const GROUP: &str = "Village";
/// One command with all that it waits for.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Serialize)]
pub struct AddingResult {
    benchmark: &'static str,
    version: &'static str,
    members: usize,
    /// `tidings group add GROUP --from FILE`, from its start to its end.
    add_s: f64,
    /// Of that command.
    add_cpu_s: f64,
    /// Of the server meanwhile.
    add_server_cpu_s: f64,
    /// `tidings send GROUP "hello" --wait sent`, right after it.
    send_s: f64,
    /// What the accounts' owner keeps of it: database, journal, log.
    home_mib: f64,
    /// What the server stored while the people were added.
    server_grew_mib: f64,
    machine: Machine,
}

impl Adding {
    pub async fn run(&self) -> Result<AddingResult> {
        if self.members == 0 || self.members >= PARTICIPANTS_MAX {
            return Err(BenchError::Setup(format!("--members is 1 to {}", PARTICIPANTS_MAX - 1)));
        }
        let machine = machine::machine();
        let target = Target::start(&self.target).await?;
        let result = self.measure(&target, machine).await;
        target.stop(result.is_err()).await;
        result
    }

    async fn measure(&self, target: &Target, machine: Machine) -> Result<AddingResult> {
        let people = People::new(target)?;
        let members = people.sign_up(self.members, false).await?;
        founding::make_reachable(&people, &members).await?;
        let founder = Founder::register(target, people.fresh_number()).await?;
        founder.tidings(&["group", "create", GROUP]).await?;
        let list = founder.home.path().join("numbers.txt");
        let numbers: Vec<&str> = members.iter().map(|person| person.phone.as_str()).collect();
        std::fs::write(&list, numbers.join("\n")).setup("writing the list of numbers")?;
        machine::until_quiet(target.pid, Duration::from_secs(20)).await?;

        let stored = bytes_below(target.folder())?;
        let (start, cpu, server) = (Instant::now(), machine::children_cpu_us()?, machine::cpu_us(target.pid)?);
        let said = founder.tidings(&["group", "add", GROUP, "--from", &list.to_string_lossy()]).await?;
        let add_s = round3(start.elapsed().as_secs_f64());
        let add_cpu_s = round3((machine::children_cpu_us()? - cpu) as f64 / 1e6);
        let add_server_cpu_s = round3((machine::cpu_us(target.pid)? - server) as f64 / 1e6);
        if !said.contains(&format!("has {} members", self.members + 1)) {
            return Err(BenchError::Broken(format!("not everybody was added: {said}")));
        }
        let start = Instant::now();
        founder.tidings(&["send", GROUP, "hello", "--wait", "sent"]).await?;
        let mib = |bytes: u64| round3(bytes as f64 / 1024.0 / 1024.0);
        Ok(AddingResult {
            benchmark: "adding",
            version: env!("CARGO_PKG_VERSION"),
            members: self.members,
            add_s,
            add_cpu_s,
            add_server_cpu_s,
            send_s: round3(start.elapsed().as_secs_f64()),
            home_mib: mib(bytes_below(founder.home.path())?),
            server_grew_mib: mib(bytes_below(target.folder())?.saturating_sub(stored)),
            machine,
        })
    }
}

/// Somebody at a terminal.
struct Founder<'a> {
    target: &'a Target,
    home: TempDir,
}

impl<'a> Founder<'a> {
    async fn register(target: &'a Target, phone: String) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("tidings-bench-").tempdir_in(target.folder());
        let founder = Self { target, home: home.setup("making a folder")? };
        let code = target.sms.expect(&phone);
        founder.tidings(&["register", &phone, "--request"]).await?;
        founder.tidings(&["register", &phone, "--code", &code.arrives().await?]).await?;
        Ok(founder)
    }

    /// What it prints.
    async fn tidings(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(std::env::current_exe().setup("finding this binary")?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
        command.args(arguments).env("TIDINGS_HOME", self.home.path()).env("TIDINGS_SERVER", &self.target.base);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let what = arguments[..arguments.len().min(2)].join(" ");
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.map_err(|_| BenchError::Server(format!("tidings {what} does not end")))?;
        let output = output.setup("starting tidings")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(BenchError::Server(format!("tidings {what}: {}", said.trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).setup("measuring a folder")? {
            let entry = entry.setup("measuring a folder")?;
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) => bytes += about.len(),
                // A journal may go at any moment.
                Err(_) => {}
            }
        }
    }
    Ok(bytes)
}
