//! A server and people's accounts in a folder of their own. Everything that is started here is ended here.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const ANNA: &str = "+31612345678";
pub const BRAM: &str = "+31687654321";
pub const CARLA: &str = "+31623456789";
pub const DORA: &str = "+31634567890";

/// Far above what anything takes on a busy machine: whoever waits so long waits for nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub struct World {
    pub folder: TempDir,
    pub address: SocketAddr,
    server: Option<Running>,
}

/// A process and what it has printed so far.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A fresh server.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let mut world = Self { folder, address: ([127, 0, 0, 1], 0).into(), server: None };
        world.start_server();
        world
    }

    /// A fresh server with two people.
    pub fn with_two() -> Self {
        let world = Self::start();
        world.register(ANNA);
        world.register(BRAM);
        world
    }

    /// A fresh server with four people: Anna, Bram, Carla and Dora.
    pub fn with_four() -> Self {
        let world = Self::with_two();
        world.register(CARLA);
        world.register(DORA);
        world
    }

    /// At the same address as before.
    pub fn start_server(&mut self) {
        let mut command = self.command(&["serve"]);
        command.args(["--listen", &self.address.to_string(), "--data"]).arg(self.data());
        // Stories ask for more codes than people do.
        command.env("TIDINGS_LIMITS_CODE_INTERVAL_S", "0").env("TIDINGS_LIMITS_CODES_PER_NUMBER_PER_HOUR", "100");
        let server = Running::start(command);
        let line = server.stdout.wait_for("listens on ");
        let address = line.split("listens on ").nth(1).and_then(|rest| rest.split(": ").next());
        self.address = address.expect("the line has the address").parse().expect("it is an address");
        self.server = Some(server);
    }

    /// SIGKILL: no goodbye.
    pub fn kill_server(&mut self) {
        self.server.take().expect("the server runs").kill();
    }

    /// As Ctrl-C does.
    pub fn stop_server(&mut self) -> Ended {
        self.server.take().expect("the server runs").stop()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The server's.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn account(&self, phone: &str) -> PathBuf {
        self.home().join("accounts").join(phone)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
        command.args(args).current_dir(self.folder.path()).env("TIDINGS_HOME", self.home()).env("TZ", "UTC");
        command.env("TIDINGS_SERVER", self.url());
        // STORY_LOG=debug shows what the programs did, where a test fails.
        if let Some(filter) = std::env::var_os("STORY_LOG") {
            command.env("TIDINGS_LOG", filter);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.run_with_input(args, "")
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ended {
        let mut running = self.spawn(args);
        running.type_in(input);
        running.wait()
    }

    /// Runs a command of this person that has to succeed; gives what it printed.
    pub fn ok(&self, who: &str, args: &[&str]) -> String {
        let args = [&["--as", who], args].concat();
        let ended = self.run(&args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.stdout
    }

    /// The same, printing JSON objects.
    pub fn json(&self, who: &str, args: &[&str]) -> Vec<Value> {
        let args = [args, &["--json"]].concat();
        self.ok(who, &args).lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
    }

    /// Runs a command of this person that has to fail; gives what it complained about.
    pub fn fails(&self, who: &str, args: &[&str]) -> String {
        let args = [&["--as", who], args].concat();
        let ended = self.run(&args);
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        ended.stderr
    }

    pub fn spawn(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// `tidings listen --json` of this person, ready.
    pub fn listen(&self, who: &str) -> Running {
        let listener = self.spawn(&["--as", who, "listen", "--json"]);
        listener.event(|event| event["event"] == "connection" && event["state"] == "live");
        listener
    }

    /// The newest code that was sent to this number.
    pub fn code(&self, phone: &str) -> String {
        let line = self.server.as_ref().expect("the server runs").stdout.wait_for(&format!("SMS to {phone}: "));
        let digits: String = line.rsplit(' ').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits.len(), 6, "{line}");
        digits
    }

    pub fn register(&self, phone: &str) {
        self.register_with(phone, &[]);
    }

    /// With more arguments.
    pub fn register_with(&self, phone: &str, args: &[&str]) {
        let mut running = self.spawn(&[&["register", phone], args].concat());
        let code = self.code(phone);
        running.type_in(&format!("{code}\n"));
        let ended = running.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(phone) && ended.stdout.contains("is registered"), "{ended:?}");
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let stdin = child.stdin.take();
        let stdout = Lines::read(child.stdout.take().expect("it is piped"));
        let stderr = Lines::read(child.stderr.take().expect("it is piped"));
        Self { child, stdin, stdout, stderr }
    }

    /// Types this, and then nothing more.
    pub fn type_in(&mut self, text: &str) {
        // It may have ended without reading.
        let _ = self.stdin.take().expect("nothing was typed yet").write_all(text.as_bytes());
    }

    /// The first line that says this, when it comes.
    pub fn says(&self, part: &str) -> String {
        self.stdout.wait_for(part)
    }

    /// The first event of this kind, when it comes.
    pub fn event(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.stdout.wait(|line| serde_json::from_str::<Value>(line).ok().filter(|event| wanted(event)))
    }

    /// The first message with this text, as it was in an event of this kind.
    pub fn message(&self, event: &str, text: &str) -> Value {
        let found = self.event(|it| it["event"] == event && it["message"]["text"] == text);
        found["message"].clone()
    }

    pub fn events(&self) -> Vec<Value> {
        self.stdout.all().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started by us");
    }

    /// Ctrl-C.
    pub fn stop(self) -> Ended {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        self.wait()
    }

    pub fn wait(mut self) -> Ended {
        let give_up = Instant::now() + PATIENCE;
        // Nothing that is typed later counts.
        self.stdin = None;
        let code = loop {
            match self.child.try_wait().expect("it was started by us") {
                Some(status) => break status.code(),
                None if Instant::now() > give_up => {
                    panic!("it does not end: {:?} {:?}", self.stdout.all(), self.stderr.all())
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        Ended { code, stdout: self.stdout.to_the_end(), stderr: self.stderr.to_the_end() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Has ended already, or must not outlive the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a process printed, as they come.
struct Lines {
    shared: Arc<(Mutex<Vec<String>>, Condvar)>,
    ended: Receiver<()>,
}

impl Lines {
    fn read(from: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (end, ended) = channel();
        let reader = shared.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let (lines, changed): &(Mutex<Vec<String>>, Condvar) = &reader;
                lines.lock().expect("nobody panics with it").push(line);
                changed.notify_all();
            }
            drop(end);
        });
        Self { shared, ended }
    }

    fn wait_for(&self, part: &str) -> String {
        // The newest counts: a code may have been sent before.
        self.wait(|line| line.contains(part).then(|| line.to_owned()))
    }

    fn wait<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let (lines, changed) = &*self.shared;
        let give_up = Instant::now() + PATIENCE;
        let mut guard = lines.lock().expect("nobody panics with it");
        loop {
            // Asked first: what is over has said everything by now.
            let is_over = self.ended.try_recv() == Err(TryRecvError::Disconnected);
            if let Some(found) = guard.iter().rev().find_map(|line| wanted(line)) {
                return found;
            }
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !is_over, "it was never said (ended: {is_over}); what was: {guard:#?}");
            // Its end is no news to wait for.
            guard = changed.wait_timeout(guard, left.min(LOOK_AGAIN)).expect("nobody panics with it").0;
        }
    }

    fn all(&self) -> Vec<String> {
        self.shared.0.lock().expect("nobody panics with it").clone()
    }

    fn to_the_end(&self) -> String {
        assert_eq!(self.ended.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "its output does not end");
        self.all().iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < give_up, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}
