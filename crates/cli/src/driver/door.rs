//! The holder's side of the door: a Unix socket in the account's folder, which only the account's owner may enter.
//!
//! Lines of JSON. The holder greets with its [`VERSION`]; a guest sends [`Asked`], the holder answers with [`Told`]:
//! first `taken`, then, when the core has answered, `reply`. So a guest whose holder ends knows of each command whether
//! it may repeat it (not taken: nothing happened) or not (taken, no reply: unknown). News go to every guest.

use super::{Call, News, raised};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use tidings_client::{ClientError, Command, Reply};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// Both sides have to be of the same one.
pub const VERSION: u32 = 1;
/// A line that is longer is not ours: a page of the longest messages is shorter.
pub const LINE_MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Guests at once.
const GUESTS_MAX: usize = 32;
/// Commands of all guests that wait for the core.
const CALLS_MAX: usize = 64;
/// The system takes no longer path for a socket.
const PATH_MAX_BYTES: usize = 100;

#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    pub tidings_door: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    pub id: u64,
    pub command: Command,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is written out at once")]
pub enum Told {
    /// The command goes to the core now.
    Taken {
        id: u64,
    },
    Reply {
        id: u64,
        result: Result<Reply, ClientError>,
    },
    News {
        news: News,
    },
}

pub fn path(folder: &Path) -> PathBuf {
    folder.join("door")
}

/// Lets guests in, and collects what they ask.
pub struct Door {
    path: PathBuf,
    listener: Option<UnixListener>,
    news: broadcast::Sender<News>,
    leaving: watch::Sender<bool>,
    calls: mpsc::Sender<Call>,
    calls_out: mpsc::Receiver<Call>,
    guests: JoinSet<()>,
}

impl Door {
    /// Without a door the holder works as ever, only alone.
    pub fn open(folder: &Path, news: &broadcast::Sender<News>) -> Self {
        let path = path(folder);
        let (calls, calls_out) = mpsc::channel(CALLS_MAX);
        // What a killed holder left behind; the lock says that nobody uses it.
        let _ = std::fs::remove_file(&path);
        let listener = match listen(&path) {
            Ok(listener) => Some(listener),
            Err(error) => {
                eprintln!("warning: other commands cannot use this account meanwhile: {}: {error}", path.display());
                None
            }
        };
        Self {
            path,
            listener,
            news: news.clone(),
            leaving: watch::Sender::new(false),
            calls,
            calls_out,
            guests: JoinSet::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// Lets nobody in any more; guests leave as soon as what they asked for is answered.
    pub fn shut(&mut self) {
        if self.listener.take().is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
        self.leaving.send_replace(true);
    }

    /// The next command of a guest; `None` when something about the guests changed.
    pub async fn next(&mut self) -> Option<Call> {
        tokio::select! {
            call = self.calls_out.recv() => call,
            Some(_) = self.guests.join_next() => None,
            Ok((stream, _)) = accept(self.listener.as_ref()) => {
                if self.guests.len() < GUESTS_MAX {
                    let guest = GuestDesk { calls: self.calls.clone(), leaving: self.leaving.subscribe() };
                    self.guests.spawn(guest.serve(stream, self.news.subscribe()));
                }
                None
            }
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    if path.as_os_str().len() > PATH_MAX_BYTES {
        let why = "the path is too long for a socket; a shorter TIDINGS_HOME helps";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    // The folder lets nobody else in (0700), so there is no moment in which the socket stands open.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(listener: Option<&UnixListener>) -> io::Result<(UnixStream, tokio::net::unix::SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// What one guest's task works with.
struct GuestDesk {
    calls: mpsc::Sender<Call>,
    leaving: watch::Receiver<bool>,
}

impl GuestDesk {
    async fn serve(mut self, stream: UnixStream, mut news: broadcast::Receiver<News>) {
        let (reader, mut writer) = stream.into_split();
        let mut lines = Lines::new(reader);
        let mut answers: JoinSet<Option<Told>> = JoinSet::new();
        let mut leaving = false;
        if tell(&mut writer, &Greeting { tidings_door: VERSION }).await.is_err() {
            return;
        }
        while !(leaving && answers.is_empty()) {
            let told = tokio::select! {
                asked = lines.next::<Asked>(), if !leaving && answers.len() < CALLS_MAX => {
                    let Ok(Some(Asked { id, command })) = asked else { return };
                    if tell(&mut writer, &Told::Taken { id }).await.is_err() {
                        return;
                    }
                    let (reply, answer) = oneshot::channel();
                    if self.calls.send(Call { command, reply }).await.is_err() {
                        return;
                    }
                    answers.spawn(async move { answer.await.ok().map(|result| Told::Reply { id, result }) });
                    continue;
                }
                Some(answer) = answers.join_next() => match answer {
                    Ok(Some(told)) => told,
                    _ => continue,
                },
                heard = news.recv() => match heard {
                    Ok(news) => Told::News { news },
                    Err(broadcast::error::RecvError::Lagged(_)) => Told::News { news: News::Missed },
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = raised(&mut self.leaving), if !leaving => {
                    leaving = true;
                    continue;
                }
            };
            if tell(&mut writer, &told).await.is_err() {
                return;
            }
        }
    }
}

pub async fn tell<T: Serialize>(writer: &mut OwnedWriteHalf, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Reads lines of JSON; what was read of an unfinished one survives a cancelled wait.
pub struct Lines {
    reader: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

impl Lines {
    pub fn new(reader: OwnedReadHalf) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new() }
    }

    /// `None` at the end.
    pub async fn next<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let room = LINE_MAX_BYTES.saturating_sub(self.line.len() as u64);
        (&mut self.reader).take(room).read_until(b'\n', &mut self.line).await?;
        if self.line.last() != Some(&b'\n') {
            return match self.line.len() as u64 >= LINE_MAX_BYTES {
                true => Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long")),
                false => Ok(None),
            };
        }
        let value = serde_json::from_slice(&self.line);
        self.line.clear();
        Ok(Some(value?))
    }
}
