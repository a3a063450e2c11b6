//! Carries out what the client core asks for, and lets several processes of this machine share one account.
//!
//! A device is one database, and one process at a time may hold it. The first that opens an account takes its [`lock`],
//! runs the core ([`holder`]: the core's law, with a [`socket`] and [`http`]) and opens a [`door`]; the others are its
//! guests and talk to it through that door. When the holder leaves, a guest takes its place. Whoever uses a [`Handle`]
//! does not see the difference.
//!
//! ```text
//! command ── Handle ──┬── holder ── core ── socket, HTTP ── server
//!                     └── guest ── door (Unix socket) ── holder of another process
//! ```

#[cfg(unix)]
mod door;
#[cfg(unix)]
mod guest;
mod holder;
mod http;
mod lock;
mod network;
mod seat;
mod socket;

use crate::failure::Failure;
use crate::profile::Profile;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use tidings_client::{ClientError, Command, Event, Reply};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Commands that wait for the core.
const CALLS_MAX: usize = 64;
/// News that a slow listener may be behind before it hears [`News::Missed`].
const NEWS_MAX: usize = 1_024;

/// A command and where its answer goes.
struct Call {
    command: Command,
    reply: oneshot::Sender<Result<Reply, ClientError>>,
}

/// What happened, for everybody who looks at this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    Event(Event),
    /// Some events were lost on the way (a slow reader, a change of the holder): look at everything anew.
    Missed,
}

/// An open account.
pub struct Handle {
    calls: mpsc::Sender<Call>,
    /// Ends with the keeper, so that listeners learn of it.
    news: broadcast::WeakSender<News>,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
    /// Why the account could not be kept open.
    lost: Arc<OnceLock<String>>,
}

/// Everything that a seat needs of the handle.
struct Ends {
    calls: Calls,
    news: broadcast::Sender<News>,
    stop: watch::Receiver<bool>,
}

/// What this process asks.
struct Calls {
    new: mpsc::Receiver<Call>,
    /// What a former holder never took; it comes first.
    again: VecDeque<Call>,
}

impl Calls {
    async fn next(&mut self) -> Option<Call> {
        match self.again.pop_front() {
            Some(call) => Some(call),
            None => self.new.recv().await,
        }
    }
}

/// Waits until the flag is up, or whoever could raise it is gone.
async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|up| *up).await;
}

/// How many holders of the account one after the other are asked a question.
const ASK_TRIES_MAX: usize = 4;

/// Whether a command changes nothing.
fn only_asks(command: &Command) -> bool {
    matches!(
        command,
        Command::Status
            | Command::Conversations
            | Command::Messages { .. }
            | Command::Message { .. }
            | Command::MessageInfo { .. }
    )
}

impl Handle {
    pub async fn open(profile: &Profile) -> Result<Self, Failure> {
        let seat = seat::take(profile).await?;
        let (calls, calls_out) = mpsc::channel(CALLS_MAX);
        let (news, _) = broadcast::channel(NEWS_MAX);
        let (stop, stop_out) = watch::channel(false);
        let lost = Arc::new(OnceLock::new());
        let weak_news = news.downgrade();
        let ends = Ends { calls: Calls { new: calls_out, again: VecDeque::new() }, news, stop: stop_out };
        let keeper = tokio::spawn(seat::keep(seat, profile.clone(), ends, lost.clone()));
        Ok(Self { calls, news: weak_news, stop, keeper, lost })
    }

    /// Asks the core for something.
    pub async fn call(&self, command: Command) -> Result<Reply, Failure> {
        self.ask(command).await?.map_err(Failure::from)
    }

    /// The same, with the core's own error.
    pub async fn ask(&self, command: Command) -> Result<Result<Reply, ClientError>, Failure> {
        // Who held the account may have ended: what only asks is asked again of the next one.
        let mut tries = if only_asks(&command) { ASK_TRIES_MAX } else { 1 };
        loop {
            let (reply, answer) = oneshot::channel();
            let call = Call { command: command.clone(), reply };
            self.calls.send(call).await.map_err(|_| self.gone())?;
            tries -= 1;
            match answer.await {
                Ok(answer) => return Ok(answer),
                Err(_) if tries > 0 => {}
                Err(_) => return Err(self.gone()),
            }
        }
    }

    /// Why the account is not open any more.
    pub fn gone(&self) -> Failure {
        match self.lost.get() {
            Some(why) => Failure::new(why.clone()),
            None => Failure::with(
                "the process that holds this account ended before it answered, so it is not known whether this was done",
                "Look with `tidings history` before you repeat it.",
            ),
        }
    }

    /// What happens from now on.
    pub fn listen(&self) -> Listener {
        // Of an account that is closed there is no news.
        Listener(self.news.upgrade().map_or_else(|| broadcast::channel(1).1, |news| news.subscribe()))
    }

    /// Leaves the account: what waits is written out, guests take over. Ctrl-C ends the wait for them.
    pub async fn close(self) {
        self.stop.send_replace(true);
        tokio::select! {
            _ = self.keeper => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}

pub struct Listener(broadcast::Receiver<News>);

impl Listener {
    /// The next piece of news; `None` once the account is closed.
    pub async fn next(&mut self) -> Option<News> {
        match self.0.recv().await {
            Ok(news) => Some(news),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(News::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// News that are there already.
    pub fn ready(&mut self) -> Option<News> {
        match self.0.try_recv() {
            Ok(news) => Some(news),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(News::Missed),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => None,
        }
    }
}
