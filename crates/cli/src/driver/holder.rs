//! The core's law, carried out: hand over one input, carry out every output in order, then wait.

use super::network::Network;
use super::seat::Left;
use super::socket::{self, Said};
use super::{Call, Ends, News, http, lock, raised};
use crate::failure::Failure;
use crate::profile::{Profile, key};
use crate::show::time::now_ms;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tidings_client::client::Options;
use tidings_client::db::{Db, DbError};
use tidings_client::io::{CallId, HttpOutcome, HttpRequest};
use tidings_client::{Client, ClientError, Input, Output, Reply};
use tidings_proto::frame::{ClientFrame, ServerFrame};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Frames that wait for the core, and how many of them share a transaction.
const FRAMES_IN_MAX: usize = 512;
const FRAMES_BATCH_MAX: usize = 256;
/// Frames that wait for the line. The core keeps few appends in flight; a line that is this far behind is dead.
const FRAMES_OUT_MAX: usize = 4_096;
/// Calls of the HTTP API under way at once.
const REQUESTS_MAX: usize = 8;
/// A wait is never longer than this: the wall clock may jump, and a machine may sleep.
const NAP_MAX: Duration = Duration::from_secs(10);
/// The wall clock ran this much further than a nap: the machine slept, so the network is another one.
const SLEPT_MS: u64 = 20_000;
/// How long the leaving holder stays for what its guests asked for: as long as a call of the server may take.
const GUESTS_TIMEOUT: Duration = Duration::from_secs(35);
/// How long it writes out what waits.
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// This process holds the account.
pub struct Holder {
    client: Client,
    network: Network,
    folder: std::path::PathBuf,
    wake_at_ms: u64,
    next_id: CallId,
    waiting: HashMap<CallId, oneshot::Sender<Result<Reply, ClientError>>>,
    line: Option<Line>,
    connections: u64,
    wires: Wires,
    // Last, so that it is released when all else is closed.
    _lock: lock::Lock,
}

/// The live connection.
struct Line {
    connection: u64,
    frames: mpsc::Sender<ClientFrame>,
    task: JoinHandle<()>,
}

/// Where the tasks around the core put what they have.
struct Wires {
    said: mpsc::Sender<Said>,
    said_out: mpsc::Receiver<Said>,
    responses: mpsc::Sender<(CallId, HttpOutcome)>,
    responses_out: mpsc::Receiver<(CallId, HttpOutcome)>,
    requests: Arc<Semaphore>,
}

impl Wires {
    fn new() -> Self {
        let (said, said_out) = mpsc::channel(FRAMES_IN_MAX);
        let (responses, responses_out) = mpsc::channel(REQUESTS_MAX);
        Self { said, said_out, responses, responses_out, requests: Arc::new(Semaphore::new(REQUESTS_MAX)) }
    }
}

impl Holder {
    /// `None`: a process that was killed has let go of the lock, but not of the database yet.
    pub fn open(profile: &Profile, lock: lock::Lock) -> Result<Option<Self>, Failure> {
        let passphrase = std::env::var("TIDINGS_PASSPHRASE").ok().filter(|text| !text.is_empty());
        let key = key::load_or_make(&profile.folder, passphrase.as_deref())?;
        let mut seed = [0; 32];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut seed);
        let db = match Db::open_file(&profile.database(), &key) {
            Err(DbError::InUse) => return Ok(None),
            db => db.map_err(ClientError::from)?,
        };
        let mut options = Options::new(seed);
        options.name.clone_from(&profile.name);
        let client = Client::open(db, options)?;
        Ok(Some(Self {
            client,
            network: Network::new(profile.server.clone())?,
            folder: profile.folder.clone(),
            wake_at_ms: u64::MAX,
            next_id: 0,
            waiting: HashMap::new(),
            line: None,
            connections: 0,
            wires: Wires::new(),
            _lock: lock,
        }))
    }

    pub async fn run(mut self: Box<Self>, ends: &mut Ends) -> Left {
        let mut door = Door::open(&self.folder, &ends.news);
        self.handle(Input::Tick, &ends.news);
        let mut leaving = false;
        let leave_by = tokio::time::sleep(GUESTS_TIMEOUT);
        tokio::pin!(leave_by);
        let mut nap_from_ms = now_ms();
        while !(leaving && door.is_empty()) {
            let nap = Duration::from_millis(self.wake_at_ms.saturating_sub(now_ms())).min(NAP_MAX);
            tokio::select! {
                () = raised(&mut ends.stop), if !leaving => {
                    leaving = true;
                    door.shut();
                    leave_by.as_mut().reset(tokio::time::Instant::now() + GUESTS_TIMEOUT);
                }
                () = &mut leave_by, if leaving => {
                    tracing::warn!(calls = self.waiting.len(), "left before all was answered");
                    break;
                }
                Some(call) = ends.calls.next(), if !leaving => self.command(call, &ends.news),
                asked = door.next() => {
                    if let Some(call) = asked {
                        self.command(call, &ends.news);
                    }
                }
                Some(said) = self.wires.said_out.recv() => self.heard(said, &ends.news),
                Some((id, outcome)) = self.wires.responses_out.recv() => {
                    self.handle(Input::Response { id, outcome }, &ends.news);
                }
                () = tokio::time::sleep(nap) => {
                    let now = now_ms();
                    if now.saturating_sub(nap_from_ms) > SLEPT_MS {
                        self.handle(Input::NetworkChanged, &ends.news);
                    }
                    if now >= self.wake_at_ms {
                        // Unless the core names another time, nothing has to be done at any time.
                        self.wake_at_ms = u64::MAX;
                        self.handle(Input::Tick, &ends.news);
                    }
                }
            }
            nap_from_ms = now_ms();
        }
        self.hang_up().await;
        Left::Stopped
    }

    fn command(&mut self, call: Call, news: &broadcast::Sender<News>) {
        self.next_id += 1;
        self.waiting.insert(self.next_id, call.reply);
        self.handle(Input::Command { id: self.next_id, command: call.command }, news);
    }

    /// Hands on what the line said; of frames all that are there, so that they share a transaction.
    fn heard(&mut self, first: Said, news: &broadcast::Sender<News>) {
        let mut frames: Vec<ServerFrame> = Vec::new();
        let mut next = Some(first);
        while let Some(said) = next.take() {
            match said {
                Said::Frame { connection, frame } if self.is_on(connection) => frames.push(frame),
                Said::Connected { connection } if self.is_on(connection) => self.handle(Input::Connected, news),
                Said::Disconnected { connection } if self.is_on(connection) => {
                    self.hand_over(&mut frames, news);
                    self.line = None;
                    self.handle(Input::Disconnected, news);
                    return;
                }
                // A connection that was given up.
                Said::Frame { .. } | Said::Connected { .. } | Said::Disconnected { .. } => {}
            }
            if frames.len() < FRAMES_BATCH_MAX {
                next = self.wires.said_out.try_recv().ok();
            }
        }
        self.hand_over(&mut frames, news);
    }

    fn is_on(&self, connection: u64) -> bool {
        self.line.as_ref().is_some_and(|line| line.connection == connection)
    }

    fn hand_over(&mut self, frames: &mut Vec<ServerFrame>, news: &broadcast::Sender<News>) {
        if !frames.is_empty() {
            self.handle(Input::Frames(std::mem::take(frames)), news);
        }
    }

    fn handle(&mut self, input: Input, news: &broadcast::Sender<News>) {
        let mut input = Some(input);
        while let Some(next) = input.take() {
            // The core encrypts and writes to the disk; other tasks of this thread move elsewhere meanwhile.
            let outputs = tokio::task::block_in_place(|| self.client.handle(next, now_ms()));
            for output in outputs {
                if let Err(LineBroken) = self.carry_out(output, news) {
                    self.line = None;
                    input = Some(Input::Disconnected);
                }
            }
        }
    }

    fn carry_out(&mut self, output: Output, news: &broadcast::Sender<News>) -> Result<(), LineBroken> {
        match output {
            Output::Connect => self.connect(),
            // The task writes out what waits, says goodbye and ends; nobody listens to it any more.
            Output::Disconnect => self.line = None,
            Output::Send(frame) => {
                if let Some(line) = &self.line {
                    return line.frames.try_send(frame).map_err(|_| LineBroken);
                }
            }
            Output::Request(request) => self.request(request),
            Output::Reply { id, result } => {
                if let Some(reply) = self.waiting.remove(&id) {
                    let _ = reply.send(result);
                }
            }
            Output::Event(event) => {
                // No listener is no error.
                let _ = news.send(News::Event(event));
            }
            Output::WakeAt(at_ms) => self.wake_at_ms = at_ms,
        }
        Ok(())
    }

    fn connect(&mut self) {
        self.connections += 1;
        let (frames, frames_out) = mpsc::channel(FRAMES_OUT_MAX);
        let task =
            tokio::spawn(socket::run(self.network.clone(), self.connections, self.wires.said.clone(), frames_out));
        self.line = Some(Line { connection: self.connections, frames, task });
    }

    fn request(&self, request: HttpRequest) {
        let (network, responses, requests) =
            (self.network.clone(), self.wires.responses.clone(), self.wires.requests.clone());
        tokio::spawn(async move {
            let _turn = requests.acquire_owned().await;
            let id = request.id;
            let outcome = http::call(&network, request).await;
            let _ = responses.send((id, outcome)).await;
        });
    }

    /// Ends the connection once all that waits was written, so that the last receipts reach the server.
    async fn hang_up(&mut self) {
        if let Some(Line { frames, mut task, .. }) = self.line.take() {
            drop(frames);
            let mut deadline = std::pin::pin!(tokio::time::sleep(HANG_UP_TIMEOUT));
            loop {
                tokio::select! {
                    _ = &mut task => return,
                    // Frames that come now are not confirmed, so they come again.
                    Some(_) = self.wires.said_out.recv() => {}
                    () = &mut deadline => return task.abort(),
                }
            }
        }
    }
}

/// The line took no more: it is as good as dead.
struct LineBroken;

#[cfg(unix)]
use super::door::Door;

/// Where there are no Unix sockets, there are no guests.
#[cfg(not(unix))]
struct Door;

#[cfg(not(unix))]
impl Door {
    fn open(_folder: &std::path::Path, _news: &broadcast::Sender<News>) -> Self {
        Self
    }
    fn is_empty(&self) -> bool {
        true
    }
    fn shut(&mut self) {}
    async fn next(&mut self) -> Option<Call> {
        std::future::pending().await
    }
}
