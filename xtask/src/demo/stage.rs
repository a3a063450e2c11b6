//! The processes of the demo, and what they say. Everything that is started here is ended here.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Whoever waits so long waits for nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The story did not go as it should.
#[derive(Debug)]
pub struct Wrong(pub String);

pub type Result<T> = std::result::Result<T, Wrong>;

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A folder of its own, gone with the demo.
pub struct Stage {
    binary: PathBuf,
    folder: PathBuf,
    /// As in `127.0.0.1:41234`; empty until the server chose a port.
    pub address: String,
}

impl Stage {
    pub fn new(binary: PathBuf) -> Result<Self> {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let name = format!("tidings-demo-{}-{}", std::process::id(), since.map_or(0, |it| it.subsec_nanos()));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder)?;
        Ok(Self { binary, folder, address: String::new() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
        command.args(args).current_dir(&self.folder).env("TIDINGS_HOME", self.folder.join("home"));
        command.env("TIDINGS_SERVER", format!("http://{}", self.address)).env("TIDINGS_LOG_LEVEL", "warn");
        command
    }

    pub fn start(&self, args: &[&str]) -> Result<Running> {
        Running::start(self.command(args))
    }

    /// Runs a command that has to succeed; gives what it printed.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        self.start(args)?.end(args)
    }

    /// The server; at the same address as before.
    pub fn serve(&mut self) -> Result<Running> {
        let listen = if self.address.is_empty() { "127.0.0.1:0" } else { &self.address };
        let data = self.folder.join("data");
        let server = self.start(&["serve", "--listen", listen, "--data", &data.to_string_lossy()])?;
        let (line, _) = server.wait(|line| line.contains("listens on "))?;
        let address = line.split("listens on ").nth(1).and_then(|rest| rest.split(": ").next());
        self.address = address.ok_or_else(|| Wrong(format!("no address in {line:?}")))?.to_owned();
        Ok(server)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

type Line = (String, Instant);

/// A process, and the lines that it printed, with the time of each.
pub struct Running {
    child: Child,
    lines: Arc<(Mutex<Vec<Line>>, Condvar)>,
    complaints: Arc<(Mutex<Vec<Line>>, Condvar)>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (lines, complaints) = (Arc::default(), Arc::default());
        let stdout = child.stdout.take().map(|from| read_lines(from, Arc::clone(&lines)));
        let stderr = child.stderr.take().map(|from| read_lines(from, Arc::clone(&complaints)));
        Ok(Self { child, lines, complaints, readers: stdout.into_iter().chain(stderr).collect() })
    }

    pub fn type_in(&mut self, text: &str) -> Result<()> {
        if let Some(mut stdin) = self.child.stdin.take() {
            stdin.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// The first line like this, when it comes, and when it came.
    pub fn wait(&self, wanted: impl Fn(&str) -> bool) -> Result<Line> {
        let (lines, changed) = &*self.lines;
        let give_up = Instant::now() + PATIENCE;
        let mut guard = lines.lock().map_err(|_| Wrong("a reader panicked".into()))?;
        loop {
            if let Some(line) = guard.iter().find(|(line, _)| wanted(line)) {
                return Ok(line.clone());
            }
            let left = give_up.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let said: Vec<&str> = guard.iter().map(|(line, _)| line.as_str()).collect();
                return Err(Wrong(format!("it was never said; what was: {said:#?} {}", text(&self.complaints))));
            }
            guard = changed.wait_timeout(guard, left).map_err(|_| Wrong("a reader panicked".into()))?.0;
        }
    }

    /// Waits until it has ended well; gives what it printed.
    pub fn end(mut self, args: &[&str]) -> Result<String> {
        drop(self.child.stdin.take());
        let give_up = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > give_up => return Err(Wrong(format!("{args:?} does not end"))),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        match status.success() {
            true => Ok(text(&self.lines)),
            false => Err(Wrong(format!("{args:?}: {status}\n{}", text(&self.complaints)))),
        }
    }

    /// SIGKILL, or what is like it.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Has ended already, or must not outlive the demo.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(from: impl Read + Send + 'static, into: Arc<(Mutex<Vec<Line>>, Condvar)>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(std::result::Result::ok) {
            if let Ok(mut lines) = into.0.lock() {
                lines.push((line, Instant::now()));
            }
            into.1.notify_all();
        }
    })
}

fn text(lines: &(Mutex<Vec<Line>>, Condvar)) -> String {
    lines.0.lock().map_or_else(|_| String::new(), |lines| lines.iter().map(|(line, _)| format!("{line}\n")).collect())
}
