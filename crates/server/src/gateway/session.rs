//! One live connection, whatever carries it: [`run`] takes decoded frames in and gives encoded frames out.
//!
//! The WebSocket ([`super::socket`]) is one carrier; a simulation runs sessions over channels of its own:
//!
//! ```text
//! let (to_server, inbound) = futures_util::stream::…;    // Stream<Item = Inbound>
//! let (outbound, from_server) = …;                       // Sink<Outbound>
//! tokio::spawn(session::run(server.clone(), Format::Cbor, inbound, outbound));
//! ```
//!
//! The carrier's duties: an [`Inbound`] for each message that comes, the end of the stream when the connection is cut;
//! write each [`Outbound`] in order, and close after [`Outbound::Close`]. An error of the sink ends the session, and so
//! does the end of the stream. Dropping the future of `run` is a cut too. Appends that were taken are committed all the
//! same, by the lane.
//!
//! Two tasks: `run` reads and hands each frame to its service; the writer drains the [`Outbox`] and flushes once for all
//! that waited. One timer per session ([`PING_INTERVAL_MS`]) finds the silent and those who do not read.

use crate::auth;
use crate::conversation::{append, commit, receipt, signal};
use crate::error::{Error, Result};
use crate::hub::{Goodbye, Outbox, Outgoing, StoredPage, Taken};
use crate::lane::Reply;
use crate::metrics::Shed;
use crate::online::Interest;
use crate::server::Server;
use crate::sync::{cursor, hello, page, plan};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tidings_proto::codec::Format;
use tidings_proto::entry::Sender;
use tidings_proto::frame::{Append, ClientFrame, Commit, Plan, ServerFrame};
use tidings_proto::id::{ConversationId, LogId, MessageId};
use tidings_proto::limit::{HELLO_TIMEOUT_MS, PING_INTERVAL_MS, PLAN_PART_MAX_LOGS};
use tidings_proto::problem::Code;
use tidings_store::log::Sent;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// What a page, or a part of a plan, weighs against appends: a few of them may wait for a slow reader.
const PAGE_WEIGHT: u32 = 16;
/// Frames of one connection per second, and how many may come at once; above it the connection is read more slowly.
const FRAMES_PER_S: u32 = 5_000;
const FRAMES_BURST: u32 = 10_000;
/// For how long a flooding connection is not read.
const FLOOD_PAUSE_MS: u64 = 50;
/// For the last frames, when the server closes.
const CLOSE_GRACE_MS: u64 = 5_000;
/// A writer that was this busy gives its buffer back.
const WRITER_KEEPS_FRAMES: usize = 64;

/// From the carrier.
#[derive(Debug)]
pub enum Inbound {
    Frame(ClientFrame),
    /// A sign of life without content, as the carrier's own pong.
    Alive,
    /// Something that is no frame; the connection ends.
    Malformed(String),
    TooLarge,
}

/// To the carrier.
#[derive(Debug, PartialEq, Eq)]
pub enum Outbound {
    /// An encoded `ServerFrame`.
    Frame(Bytes),
    /// Ask the peer for a sign of life, with the carrier's own means.
    Ping,
    /// Close; the frame before said why.
    Close(Code),
}

/// Why a session's reading ended.
enum End {
    /// The peer is gone: nothing more can be written.
    Gone,
    /// The server ends it; the outbox knows why.
    Closing,
}

/// Runs a session to its end. See the module.
pub async fn run<I, O>(server: Arc<Server>, format: Format, inbound: I, outbound: O)
where
    I: Stream<Item = Inbound> + Unpin + Send,
    O: Sink<Outbound> + Unpin + Send + 'static,
{
    let outbox = Outbox::new();
    let writer = tokio::spawn(write(server.clone(), outbox.clone(), outbound, format));
    let mut writer = AbortOnDrop(writer);
    let mut reader = Reader::new(server, outbox.clone(), inbound);
    let end = match Box::pin(reader.hello()).await {
        Ok(joined) => reader.live(joined.sender).await,
        Err(end) => end,
    };
    drop(reader);
    if matches!(end, End::Closing) {
        let _ = tokio::time::timeout(Duration::from_millis(CLOSE_GRACE_MS), &mut writer.0).await;
    }
}

/// The writer does not outlive its session.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// In the hub, and out of it however the session ends.
struct Joined {
    server: Arc<Server>,
    sender: Sender,
    outbox: Arc<Outbox>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.server.hub.leave(self.sender, &self.outbox);
        self.server.metrics.sessions.dec();
        self.server.metrics.shed.get_or_create(&Shed { what: "live" }).inc_by(self.outbox.take_shed());
    }
}

/// Writes out what waits in the outbox: many frames, one flush.
async fn write<O>(server: Arc<Server>, outbox: Arc<Outbox>, mut outbound: O, format: Format)
where
    O: Sink<Outbound> + Unpin,
{
    let mut frames = Vec::new();
    loop {
        match outbox.take(&mut frames).await {
            Taken::Frames { ping } => {
                server.metrics.frames_out.inc_by(frames.len() as u64);
                let busy = (outbox.writing(), Waiting::new(&server, frames.len()));
                for frame in frames.drain(..) {
                    if outbound.feed(Outbound::Frame(frame.encode(format))).await.is_err() {
                        return outbox.abandon();
                    }
                }
                if ping && outbound.feed(Outbound::Ping).await.is_err() {
                    return outbox.abandon();
                }
                if outbound.flush().await.is_err() {
                    return outbox.abandon();
                }
                drop(busy);
                if frames.capacity() > WRITER_KEEPS_FRAMES {
                    frames = Vec::new();
                }
            }
            Taken::Goodbye(Goodbye { code, detail, retry_after_ms }) => {
                let frame = format.encode(&ServerFrame::Goodbye { code, detail, retry_after_ms });
                // The connection ends either way.
                let _ = outbound.feed(Outbound::Frame(frame)).await;
                let _ = outbound.send(Outbound::Close(code)).await;
                let _ = outbound.close().await;
                return;
            }
        }
    }
}

/// Counts frames that wait to be written, until they are.
struct Waiting<'a>(&'a Server, i64);

impl<'a> Waiting<'a> {
    fn new(server: &'a Server, frames: usize) -> Self {
        server.metrics.queued_frames.inc_by(frames as i64);
        Self(server, frames as i64)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.metrics.queued_frames.dec_by(self.1);
    }
}

struct Reader<I> {
    server: Arc<Server>,
    outbox: Arc<Outbox>,
    inbound: I,
    ticks: Interval,
    /// Whether anything came since the last tick, and how many ticks it has been silent.
    heard: bool,
    silent_ticks: u32,
    /// How many flushes the writer had done at the last tick.
    written: u32,
    /// Frames that may still come at once, and since when.
    budget: u32,
    budget_since: Instant,
    /// Boxed, and only of connections that have to do with presence.
    interest: Option<Box<Interest>>,
}

enum Event {
    Inbound(Inbound),
    Tick,
    End(End),
}

impl<I: Stream<Item = Inbound> + Unpin + Send> Reader<I> {
    fn new(server: Arc<Server>, outbox: Arc<Outbox>, inbound: I) -> Self {
        let period = Duration::from_millis(PING_INTERVAL_MS);
        let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (heard, silent_ticks, written, budget) = (true, 0, 0, FRAMES_BURST);
        let (budget_since, interest) = (Instant::now(), None);
        Self { server, outbox, inbound, ticks, heard, silent_ticks, written, budget, budget_since, interest }
    }

    /// Finds out who this is, enters the hub, and says what moved.
    async fn hello(&mut self) -> std::result::Result<Joined, End> {
        let wait = Duration::from_millis(HELLO_TIMEOUT_MS);
        let hello = match tokio::time::timeout(wait, self.first_frame()).await {
            Ok(hello) => hello?,
            Err(_) => return Err(self.end(Goodbye::new(Code::Timeout, "No hello came."))),
        };
        let (token, since_ms, count) = hello;
        let sender = match auth::authenticate(&self.server, &token).await {
            Ok(sender) => sender,
            Err(error) => return Err(self.end(error.into())),
        };
        // In the hub before the plan is made, so that nothing comes between the two.
        if let Err(error) = self.server.hub.join(sender, &self.outbox) {
            return Err(self.end(error.into()));
        }
        let joined = Joined { server: self.server.clone(), sender, outbox: self.outbox.clone() };
        self.server.metrics.sessions.inc();
        self.send_plan(sender, since_ms, count).await?;
        Ok(joined)
    }

    async fn first_frame(&mut self) -> std::result::Result<(String, u64, u64), End> {
        loop {
            match poll_fn(|cx| self.poll_event(cx)).await {
                Event::Inbound(Inbound::Frame(ClientFrame::Hello { token, since_ms, count })) => {
                    return Ok((token, since_ms, count));
                }
                Event::Inbound(Inbound::Alive) | Event::Tick => {}
                Event::Inbound(Inbound::Frame(_)) => {
                    return Err(self.end(Goodbye::new(Code::BadRequest, "The first frame is hello.")));
                }
                Event::Inbound(other) => return Err(self.end(unreadable(other))),
                Event::End(end) => return Err(end),
            }
        }
    }

    async fn send_plan(&mut self, sender: Sender, since_ms: u64, count: u64) -> std::result::Result<(), End> {
        let now_ms = self.server.clock.now_ms();
        let planned = async {
            let rolled_back = hello::rolled_back(&self.server, sender, count).await?;
            let logs = match rolled_back {
                Some(_) => plan::whole(&self.server, sender).await?,
                None => plan::plan(&self.server, sender, Some(since_ms)).await?,
            };
            Ok((logs, rolled_back))
        };
        let planned: crate::error::Result<_> = planned.await;
        let (mut logs, rolled_back) = match planned {
            Ok(planned) => planned,
            Err(error) => return Err(self.end(error.into())),
        };
        let patience = Duration::from_millis(PING_INTERVAL_MS);
        loop {
            let rest = logs.split_off(logs.len().min(PLAN_PART_MAX_LOGS));
            let part = Plan { now_ms, logs, done: rest.is_empty(), rolled_back };
            if tokio::time::timeout(patience, poll_fn(|cx| self.outbox.poll_room(cx))).await.is_err() {
                return Err(self.end(Goodbye::new(Code::Timeout, "The plan was not read.")));
            }
            let done = part.done;
            self.outbox.credit(PAGE_WEIGHT);
            self.outbox.pusher().answer(Outgoing::Frame(Box::new(ServerFrame::Plan(part))), PAGE_WEIGHT);
            if done {
                return Ok(());
            }
            logs = rest;
        }
    }

    async fn live(&mut self, sender: Sender) -> End {
        loop {
            match poll_fn(|cx| self.poll_event(cx)).await {
                Event::Inbound(Inbound::Frame(frame)) => {
                    self.server.metrics.frames_in.inc();
                    if self.over_budget() {
                        Box::pin(self.pause()).await;
                    }
                    let handled = match self.handle_at_once(sender, frame) {
                        Ok(None) => Ok(()),
                        // Boxed: an idle connection does not keep room for what is rare.
                        Ok(Some(frame)) => Box::pin(self.handle(sender, frame)).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = handled {
                        return self.end(error.into());
                    }
                }
                Event::Inbound(Inbound::Alive) => {}
                Event::Inbound(other) => return self.end(unreadable(other)),
                Event::Tick => {
                    if let Some(end) = self.tick() {
                        return end;
                    }
                }
                Event::End(end) => return end,
            }
        }
    }

    /// The next thing that happens. Nothing is read while too many answers wait.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.outbox.poll_closed(cx).is_ready() {
            return Poll::Ready(Event::End(if self.outbox.is_abandoned() { End::Gone } else { End::Closing }));
        }
        if self.outbox.poll_room(cx).is_ready()
            && let Poll::Ready(next) = self.inbound.poll_next_unpin(cx)
        {
            self.heard = true;
            return Poll::Ready(next.map_or(Event::End(End::Gone), Event::Inbound));
        }
        self.ticks.poll_tick(cx).map(|_| Event::Tick)
    }

    /// Pings the silent, ends those who stay so, and those who do not read.
    fn tick(&mut self) -> Option<End> {
        if let Some(interest) = &self.interest {
            interest.tick();
        }
        let (writing, written) = self.outbox.progress();
        if writing && written == std::mem::replace(&mut self.written, written) {
            // There is no way to tell them.
            return Some(End::Gone);
        }
        // Who is not read from cannot be heard.
        if std::mem::take(&mut self.heard) || !self.outbox.has_room() {
            self.silent_ticks = 0;
            return None;
        }
        self.silent_ticks += 1;
        if self.silent_ticks > 1 {
            return Some(self.end(Goodbye::new(Code::Timeout, "Nothing was heard for too long.")));
        }
        self.outbox.ping();
        None
    }

    fn over_budget(&mut self) -> bool {
        if self.budget == 0 {
            let earned = self.budget_since.elapsed().as_secs_f64() * f64::from(FRAMES_PER_S);
            self.budget = (earned as u32).min(FRAMES_BURST);
            self.budget_since = Instant::now();
        }
        let over = self.budget == 0;
        self.budget = self.budget.saturating_sub(1);
        over
    }

    async fn pause(&mut self) {
        self.server.metrics.count_shed("flood");
        tokio::time::sleep(Duration::from_millis(FLOOD_PAUSE_MS)).await;
    }

    fn end(&self, goodbye: Goodbye) -> End {
        self.outbox.close(goodbye);
        End::Closing
    }

    /// The two frames that every message causes, as long as all they need is in memory; the others come back.
    fn handle_at_once(&mut self, sender: Sender, frame: ClientFrame) -> Result<Option<ClientFrame>> {
        match frame {
            ClientFrame::Append(append) => {
                let Some(lane) = self.server.lanes.loaded(append.conversation.into()) else {
                    return Ok(Some(ClientFrame::Append(append)));
                };
                if !lane.takes_from(sender)
                    || self.server.rates.appends_per_device.take(*sender.device.as_bytes()).is_err()
                {
                    return Ok(Some(ClientFrame::Append(append)));
                }
                self.outbox.credit(1);
                let (conversation, message_id) = (append.conversation, append.message_id);
                let reply = Reply::Session(self.outbox.clone());
                if let Err(error) = append::append_to(&lane, &self.server, sender, append, reply) {
                    self.refuse(conversation, message_id, error);
                }
            }
            ClientFrame::Cursor { log, seq } if log != sender.device.into() => match self.server.lanes.loaded(log) {
                Some(lane) => quiet(lane.mark(&self.server, sender, seq, 0))?,
                None => return Ok(Some(frame)),
            },
            frame => return Ok(Some(frame)),
        }
        Ok(None)
    }

    /// Hands a frame to its service. An error ends the connection; what is refused is answered instead.
    async fn handle(&mut self, sender: Sender, frame: ClientFrame) -> Result<()> {
        match frame {
            ClientFrame::Append(append) => self.append(sender, append).await,
            ClientFrame::Cursor { log, seq } => quiet(cursor::confirm(&self.server, sender, log, seq).await),
            ClientFrame::Read { conversation, seq } => {
                quiet(receipt::mark(&self.server, sender, conversation, 0, seq).await)
            }
            ClientFrame::Sync { log, after, limit } => self.sync(sender, log, after, limit).await,
            ClientFrame::Commit(commit) => Box::pin(self.commit(sender, *commit)).await,
            ClientFrame::Signal { conversation, payload } => {
                quiet(signal::signal(&self.server, sender, conversation, payload).await)
            }
            ClientFrame::Active { on } => {
                self.interest(sender).set_active(on);
                Ok(())
            }
            ClientFrame::Watch { account, on: true } => self.interest(sender).watch(account).await,
            ClientFrame::Watch { account, on: false } => {
                self.interest(sender).unwatch(account);
                Ok(())
            }
            ClientFrame::Ping { nonce } => {
                self.outbox.credit(1);
                self.outbox.pusher().answer(Outgoing::Frame(Box::new(ServerFrame::Pong { nonce })), 1);
                Ok(())
            }
            ClientFrame::Hello { .. } => Err(Error::new(Code::BadRequest, "Hello comes once.")),
        }
    }

    fn interest(&mut self, sender: Sender) -> &mut Interest {
        let new = || Box::new(Interest::new(self.server.clone(), self.outbox.clone(), sender.account));
        self.interest.get_or_insert_with(new)
    }

    async fn append(&mut self, sender: Sender, append: Append) -> Result<()> {
        self.outbox.credit(1);
        let (conversation, message_id) = (append.conversation, append.message_id);
        if !self.wait_for_rate(sender).await {
            return Ok(());
        }
        let reply = Reply::Session(self.outbox.clone());
        match append::append(&self.server, sender, append, reply).await {
            Ok(Some(Sent { seq, time_ms })) => {
                let answer = Outgoing::Appended { conversation, message_id, seq, time_ms };
                self.outbox.pusher().answer(answer, 1);
            }
            Ok(None) => {}
            Err(error) => self.refuse(conversation, message_id, error),
        }
        Ok(())
    }

    fn refuse(&self, conversation: ConversationId, message_id: MessageId, error: Error) {
        self.outbox.pusher().answer(Outgoing::refused(conversation, message_id, error), 1);
    }

    /// A device that sends too much is read more slowly; nothing of it is lost. False: the connection is closed, and what
    /// was sent on it must not overtake what the device sends again on the next one.
    async fn wait_for_rate(&self, sender: Sender) -> bool {
        loop {
            if self.outbox.is_closed() {
                return false;
            }
            let Err(error) = self.server.rates.appends_per_device.take(*sender.device.as_bytes()) else { return true };
            self.server.metrics.count_shed("rate");
            let wait_ms = error.retry_after_ms.unwrap_or(FLOOD_PAUSE_MS).clamp(1, CLOSE_GRACE_MS);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
    }

    async fn commit(&mut self, sender: Sender, commit: Commit) -> Result<()> {
        self.outbox.credit(1);
        let (conversation, message_id) = (commit.conversation, commit.message_id);
        if !self.wait_for_rate(sender).await {
            return Ok(());
        }
        let answer = match commit::commit(&self.server, sender, commit).await {
            Ok(sent) => Outgoing::Appended { conversation, message_id, seq: sent.seq, time_ms: sent.time_ms },
            Err(error) => Outgoing::refused(conversation, message_id, error),
        };
        self.outbox.pusher().answer(answer, 1);
        Ok(())
    }

    /// Always answers: of a log that is not this device's to read there is an empty page.
    async fn sync(&mut self, sender: Sender, log: LogId, after: u64, limit: u32) -> Result<()> {
        self.outbox.credit(PAGE_WEIGHT);
        let page = match page::page(&self.server, sender, log, after, limit).await {
            Ok(page) => page,
            Err(Error { code: Code::NotFound, .. }) => {
                StoredPage { log, entries: Vec::new(), head: 0, oldest: 1, caught_up: true }
            }
            Err(error) => {
                self.outbox.give_back(PAGE_WEIGHT);
                return Err(error);
            }
        };
        self.outbox.pusher().answer(Outgoing::Page(Box::new(page)), PAGE_WEIGHT);
        Ok(())
    }
}

/// Frames without an answer: what is not for this device is ignored.
fn quiet(done: Result<()>) -> Result<()> {
    match done {
        Err(Error { code: Code::NotFound | Code::Blocked, .. }) => Ok(()),
        done => done,
    }
}

fn unreadable(inbound: Inbound) -> Goodbye {
    match inbound {
        Inbound::TooLarge => Goodbye::new(Code::TooLarge, "The frame is too large."),
        Inbound::Malformed(detail) => Goodbye::new(Code::BadRequest, detail),
        Inbound::Frame(_) | Inbound::Alive => Goodbye::new(Code::BadRequest, "The frame does not belong here."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use tidings_store::{Clock, Store};

    /// What an idle connection keeps: the futures of its two tasks, and its outbox.
    #[tokio::test]
    async fn an_idle_session_is_small() {
        let clock = Clock::system();
        let server = Server::open(Config::default(), Store::memory(clock.clone()), clock).await.unwrap();
        let server = Arc::new(server);
        let drain = futures_util::sink::drain;
        let reads = run(server.clone(), Format::Cbor, futures_util::stream::pending(), drain());
        let writes = write(server, Outbox::new(), drain(), Format::Cbor);
        let sizes = (size_of_val(&reads), size_of_val(&writes), size_of::<Outbox>());
        assert!(sizes.0 <= 768 && sizes.1 <= 384 && sizes.2 <= 256, "{sizes:?}");
    }
}
