//! The server under test: a child process of its own, or one that runs already.
//!
//! The child is this same binary with `serve`, its data in a temporary folder, its limits raised by the environment, and
//! its SMS sent to our webhook: nothing in the server knows that it is being measured.

use super::error::{BenchError, Doing, Result};
use super::machine;
use super::report::round3;
use super::sms::Sms;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};

#[derive(clap::Args, Debug)]
pub struct TargetArgs {
    /// Measure this server instead of one of our own; it must send its SMS to the webhook at --sms-listen
    #[arg(long, value_name = "URL", requires = "server_pid")]
    server: Option<String>,
    /// Process id of the server given by --server, on this machine
    #[arg(long, value_name = "PID", requires = "server")]
    server_pid: Option<u32>,
    /// Where the webhook for SMS listens, on this machine [default: a free port]
    #[arg(long, value_name = "ADDRESS")]
    sms_listen: Option<SocketAddr>,
    /// Where the server's data is put for the time of the run. The system's folder for temporary files is often no disk
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

const START_TIMEOUT: Duration = Duration::from_secs(30);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Lines of the server's log that are shown when a run failed.
const LOG_LINES_SHOWN: usize = 20;
/// No limit of a person or an address is meant to be met here.
const NO_LIMIT: &str = "1000000000";

/// A server that answers.
#[derive(Debug)]
pub struct Target {
    /// As in `http://127.0.0.1:3000`.
    pub base: String,
    pub address: SocketAddr,
    pub pid: u32,
    pub sms: Sms,
    /// Beside the server's data, or where its data would be.
    folder: PathBuf,
    ours: Option<Ours>,
}

#[derive(Debug)]
struct Ours {
    child: Child,
    folder: TempDir,
}

/// Counters of the server's store.
#[derive(Clone, Copy, Debug)]
pub struct Commits {
    appends: f64,
    fsyncs: f64,
}

impl Commits {
    /// Appends per fsync since then.
    pub fn since(self, before: Commits) -> Option<f64> {
        let fsyncs = self.fsyncs - before.fsyncs;
        (fsyncs > 0.0).then(|| round3((self.appends - before.appends) / fsyncs))
    }
}

impl Target {
    pub async fn start(args: &TargetArgs) -> Result<Self> {
        let sms = Sms::listen(args.sms_listen.unwrap_or_else(|| local(0))).await?;
        let target = match (&args.server, args.server_pid) {
            (Some(server), Some(pid)) => Self::running(server, pid, sms, &args.folder).await?,
            _ => Self::ours(sms, &args.folder).await?,
        };
        target.until_ready().await.map(|()| target)
    }

    async fn running(server: &str, pid: u32, sms: Sms, folder: &Path) -> Result<Self> {
        let base = server.trim_end_matches('/').to_owned();
        let Some(host) = base.strip_prefix("http://") else {
            return Err(BenchError::Setup("--server must be http://host:port; TLS is not measured".into()));
        };
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let address = tokio::net::lookup_host(with_port).await.setup("looking up --server")?.find(SocketAddr::is_ipv4);
        let address = address.ok_or_else(|| BenchError::Setup("--server has no IPv4 address".into()))?;
        machine::cpu_us(pid).map_err(|_| BenchError::Setup(format!("there is no process {pid} on this machine")))?;
        eprintln!("codes are expected at {} (start the server with TIDINGS_SMS_URL={0})", sms.url());
        Ok(Self { base, address, pid, sms, folder: folder.to_owned(), ours: None })
    }

    async fn ours(sms: Sms, folder: &Path) -> Result<Self> {
        // The port may be taken by somebody else until the server has it; then the start fails, and says so.
        let address = TcpListener::bind(local(0)).and_then(|it| it.local_addr()).setup("finding a free port")?;
        let folder = tempfile::Builder::new().prefix("tidings-bench-").tempdir_in(folder).setup("making a folder")?;
        let child = spawn(address, &sms, folder.path())?;
        let pid = child.id().ok_or_else(|| BenchError::Setup("the server ended at once".into()))?;
        let path = folder.path().to_owned();
        Ok(Self {
            base: format!("http://{address}"),
            address,
            pid,
            sms,
            folder: path,
            ours: Some(Ours { child, folder }),
        })
    }

    /// On the same disk as the data of a server of our own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A fresh process over the same data, at the same address. One that is not ours is left as it is.
    pub async fn restart(&mut self) -> Result<()> {
        let Some(ours) = &mut self.ours else { return Ok(()) };
        end(&mut ours.child).await;
        ours.child = spawn(self.address, &self.sms, ours.folder.path())?;
        self.pid = ours.child.id().ok_or_else(|| BenchError::Setup("the server ended at once".into()))?;
        self.until_ready().await
    }

    async fn until_ready(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let last = match reqwest::get(format!("{}/readyz", self.base)).await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => response.status().to_string(),
                Err(error) => error.to_string(),
            };
            if start.elapsed() > START_TIMEOUT || machine::cpu_us(self.pid).is_err() {
                self.show_log();
                return Err(BenchError::Server(format!("it does not get ready: {last}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The counters behind "appends per fsync", if `/metrics` has them.
    pub async fn commits(&self) -> Option<Commits> {
        let text = reqwest::get(format!("{}/metrics", self.base)).await.ok()?.text().await.ok()?;
        let sum = |name: &str| {
            let values =
                text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok());
            let values: Vec<f64> = values.collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>())
        };
        Some(Commits { appends: sum("tidings_appends_total")?, fsyncs: sum("tidings_store_fsyncs_total")? })
    }

    /// Ends a server of our own and removes its data.
    pub async fn stop(mut self, failed: bool) {
        if failed {
            self.show_log();
        }
        if let Some(ours) = &mut self.ours {
            end(&mut ours.child).await;
        }
    }

    fn show_log(&self) {
        let Some(ours) = &self.ours else { return };
        let log = fs::read_to_string(ours.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("the server's log ends with:");
        for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
            eprintln!("  {line}");
        }
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn spawn(address: SocketAddr, sms: &Sms, folder: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("server.log")).setup("making its log")?;
    let mut command = Command::new(std::env::current_exe().setup("finding this binary")?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command
        .arg("serve")
        .env("TIDINGS_LISTEN", address.to_string())
        .env("TIDINGS_DATA", folder.join("data"))
        .env("TIDINGS_SMS_ADAPTER", "webhook")
        .env("TIDINGS_SMS_URL", sms.url())
        .env("TIDINGS_LOG_LEVEL", "warn")
        .env("TIDINGS_HTTP_CONNECTIONS_MAX", "1000000");
    for limit in [
        "CODES_PER_NUMBER_PER_HOUR",
        "CODES_PER_ADDRESS_PER_HOUR",
        "CODES_PER_MINUTE",
        "LOGINS_PER_ADDRESS_PER_HOUR",
        "REQUESTS_PER_ADDRESS_PER_S",
        "APPENDS_PER_DEVICE_PER_S",
        "APPENDS_PER_DEVICE_BURST",
    ] {
        command.env(format!("TIDINGS_LIMITS_{limit}"), NO_LIMIT);
    }
    let stdout = log.try_clone().setup("making its log")?;
    command.stdin(Stdio::null()).stdout(stdout).stderr(log).kill_on_drop(true);
    command.spawn().setup("starting the server")
}

/// Asks it to end, and ends it if it does not.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
        // If it is gone already, waiting for it says so.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
