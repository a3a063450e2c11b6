//! The load of a group: one sender keeps a window of messages on their way, and every member stores and confirms them.
//!
//! A message leaves the window when the last member has it. All members run on one thread, one task each, and share what
//! each of them would work out alike: since every member gets the same bytes, the first one decodes and checks them, and
//! the others compare theirs with them.

use super::error::{BenchError, Result};
use super::people::{Person, message_id};
use super::socket::{Dial, Socket};
use super::traffic::{append, check, payload};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::entry::Entry;
use tidings_proto::frame::{ClientFrame, ServerFrame};
use tidings_proto::id::{ConversationId, LogId};
use tidings_proto::limit;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Without a single delivery for so long, the run has failed.
const STALL: Duration = Duration::from_secs(30);
/// Handshakes under way at once.
const PARALLEL: usize = 64;
/// Entries whose bytes are remembered for the members that are behind the first one.
const RECENT_MAX: usize = 512;

/// What all tasks of a run share. One thread, hence no locks.
#[derive(Debug)]
pub struct Run {
    log: LogId,
    members: u64,
    payload_bytes: usize,
    /// Seq of the last entry before the first message.
    base: u64,
    window: Cell<usize>,
    /// After a message is complete, before the next one is sent.
    pause: Cell<Duration>,
    stop: Cell<bool>,
    deliveries: Cell<u64>,
    newest: Cell<Instant>,
    measuring: Cell<bool>,
    /// From sending to the last member.
    samples: RefCell<Vec<Duration>>,
    resyncs: Cell<u64>,
    /// Messages that not all members have, the oldest first; `first` is the number of that.
    under_way: RefCell<VecDeque<UnderWay>>,
    first: Cell<u64>,
    sent: Cell<u64>,
    complete: Notify,
    recent: RefCell<Recent>,
}

#[derive(Debug)]
struct UnderWay {
    sent_at: Instant,
    has_it: u64,
}

/// Frames as the first member got them, and their confirmations; by seq.
#[derive(Debug, Default)]
struct Recent {
    first_seq: u64,
    frames: VecDeque<(Bytes, Bytes)>,
}

impl Recent {
    fn get(&self, seq: u64) -> Option<&(Bytes, Bytes)> {
        self.frames.get(usize::try_from(seq.checked_sub(self.first_seq)?).ok()?)
    }

    fn push(&mut self, seq: u64, frame: Bytes, cursor: Bytes) {
        if self.first_seq + self.frames.len() as u64 != seq {
            self.frames.clear();
            self.first_seq = seq;
        }
        self.frames.push_back((frame, cursor));
        if self.frames.len() > RECENT_MAX {
            self.frames.pop_front();
            self.first_seq += 1;
        }
    }
}

impl Run {
    pub fn deliveries(&self) -> u64 {
        self.deliveries.get()
    }

    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    pub fn resyncs(&self) -> u64 {
        self.resyncs.get()
    }

    /// From now on, so many messages on their way, with a pause after each complete one.
    pub fn pace(&self, window: usize, pause: Duration) {
        self.window.set(window);
        self.pause.set(pause);
        self.complete.notify_one();
    }

    pub fn measure(&self, on: bool) {
        self.measuring.set(on);
    }

    pub fn take_samples(&self) -> Vec<Duration> {
        self.samples.take()
    }

    /// One more member has the message with this number.
    fn stored(&self, number: u64) {
        self.deliveries.set(self.deliveries.get() + 1);
        let now = Instant::now();
        self.newest.set(now);
        let mut under_way = self.under_way.borrow_mut();
        let Some(message) = number.checked_sub(self.first.get()).and_then(|at| under_way.get_mut(at as usize)) else {
            return;
        };
        message.has_it += 1;
        if message.has_it == self.members && self.measuring.get() {
            self.samples.borrow_mut().push(now - message.sent_at);
        }
        while under_way.front().is_some_and(|message| message.has_it == self.members) {
            under_way.pop_front();
            self.first.set(self.first.get() + 1);
            self.complete.notify_one();
        }
    }
}

/// A group at work. Must be started inside a `LocalSet`.
#[derive(Debug)]
pub struct Crowd {
    pub run: Rc<Run>,
    sender: JoinSet<Result<()>>,
    members: JoinSet<Result<()>>,
}

impl Crowd {
    /// Connects everybody. The first of `people` sends, and nothing is sent before the first [`Run::pace`].
    pub async fn start(
        dial: Dial,
        people: &[Person],
        conversation: ConversationId,
        payload_bytes: usize,
    ) -> Result<Self> {
        let log = LogId::from(conversation);
        let (from, plan) = Socket::open(dial, &people[0].token).await?;
        let base = plan.iter().find(|it| it.log == log).map_or(1, |it| it.head);
        let run = Rc::new(Run {
            log,
            members: people.len() as u64 - 1,
            payload_bytes,
            base,
            window: Cell::new(0),
            pause: Cell::new(Duration::ZERO),
            stop: Cell::new(false),
            deliveries: Cell::new(0),
            newest: Cell::new(Instant::now()),
            measuring: Cell::new(false),
            samples: RefCell::default(),
            resyncs: Cell::new(0),
            under_way: RefCell::default(),
            first: Cell::new(0),
            sent: Cell::new(0),
            complete: Notify::new(),
            recent: RefCell::default(),
        });
        let sockets: Vec<Socket> = stream::iter(people[1..].to_vec())
            .map(|person| async move { Socket::open(dial, &person.token).await.map(|(socket, _)| socket) })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let mut members = JoinSet::new();
        for socket in sockets {
            members.spawn_local(Member { cursor: base, seen: base, asked: false, run: run.clone() }.work(socket));
        }
        let mut sender = JoinSet::new();
        sender.spawn_local(send(run.clone(), from));
        run.newest.set(Instant::now());
        Ok(Self { run, sender, members })
    }

    /// Lets it run for so long, or until something is wrong.
    pub async fn keep_up(&mut self, time: Duration) -> Result<()> {
        let end = tokio::time::Instant::now() + time;
        loop {
            let check = end.min(tokio::time::Instant::now() + Duration::from_secs(1));
            tokio::select! {
                () = tokio::time::sleep_until(check) => {}
                Some(ended) = self.sender.join_next() => return Err(too_early(ended)),
                Some(ended) = self.members.join_next() => return Err(too_early(ended)),
            }
            if self.run.newest.get().elapsed() > STALL {
                return Err(self.stalled());
            }
            if tokio::time::Instant::now() >= end {
                return Ok(());
            }
        }
    }

    /// Sends nothing new, and waits until everybody has everything and the sender has all receipts.
    pub async fn finish(mut self) -> Result<()> {
        self.run.stop.set(true);
        self.run.complete.notify_one();
        tokio::select! {
            Some(ended) = self.sender.join_next() => ended.map_err(|error| too_early(Err(error)))??,
            Some(ended) = self.members.join_next() => return Err(too_early(ended)),
            () = tokio::time::sleep(STALL) => return Err(self.stalled()),
        }
        let (sent, delivered) = (self.run.sent() * self.run.members, self.run.deliveries());
        if sent != delivered {
            return Err(BenchError::Broken(format!("of {sent} deliveries, {delivered} were made")));
        }
        Ok(())
    }

    fn stalled(&self) -> BenchError {
        let (sent, delivered) = (self.run.sent(), self.run.deliveries());
        BenchError::Broken(format!("nothing for {} s: {sent} messages sent, {delivered} delivered", STALL.as_secs()))
    }
}

fn too_early(ended: std::result::Result<Result<()>, tokio::task::JoinError>) -> BenchError {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) => BenchError::Setup("a member ended before its time".into()),
        Err(error) => BenchError::Setup(format!("a member failed: {error}")),
    }
}

/// The sender: keeps the window full, and in the end waits for the receipts of all.
async fn send(run: Rc<Run>, mut socket: Socket) -> Result<()> {
    let conversation = run.log.as_conversation();
    let mut receipts = std::collections::BTreeMap::new();
    loop {
        let under_way = run.under_way.borrow().len();
        if run.stop.get() && under_way == 0 {
            let head = run.base + run.sent();
            let all = receipts.values().filter(|delivered| **delivered >= head).count() as u64;
            if run.sent() == 0 || all == run.members {
                socket.close().await;
                return Ok(());
            }
        }
        if !run.stop.get() && under_way < run.window.get() {
            if under_way == 0 && !run.pause.get().is_zero() {
                tokio::time::sleep(run.pause.get()).await;
            }
            while run.under_way.borrow().len() < run.window.get() {
                let number = run.sent.replace(run.sent.get() + 1);
                run.under_way.borrow_mut().push_back(UnderWay { sent_at: Instant::now(), has_it: 0 });
                let payload = payload(conversation, number, run.payload_bytes);
                socket.feed(&append(conversation, message_id(), payload)).await?;
            }
            socket.flush().await?;
        }
        tokio::select! {
            frame = socket.next() => match frame? {
                ServerFrame::Receipts { watermarks, .. } => {
                    receipts.extend(watermarks.iter().map(|mark| (mark.account, mark.delivered)));
                }
                ServerFrame::Entry(_) => return Err(BenchError::Broken("an author got its own entry back".into())),
                _ => {}
            },
            () = run.complete.notified() => {}
        }
    }
}

struct Member {
    /// What it has without a hole.
    cursor: u64,
    /// The highest seq that it has heard of.
    seen: u64,
    /// A `Sync` is on its way.
    asked: bool,
    run: Rc<Run>,
}

impl Member {
    async fn work(mut self, mut socket: Socket) -> Result<()> {
        loop {
            let before = self.cursor;
            let frame = socket.next_bytes().await?;
            self.take(frame)?;
            while let Some(frame) = socket.ready_bytes()? {
                self.take(frame)?;
            }
            if self.cursor > before {
                let known = self.run.recent.borrow().get(self.cursor).map(|(_, cursor)| cursor.clone());
                let cursor = known.unwrap_or_else(|| cursor_frame(self.run.log, self.cursor));
                socket.feed_bytes(cursor).await?;
            }
            if self.seen > self.cursor && !self.asked {
                self.asked = true;
                self.run.resyncs.set(self.run.resyncs.get() + 1);
                let sync = ClientFrame::Sync { log: self.run.log, after: self.cursor, limit: limit::PAGE_MAX_ENTRIES };
                socket.feed(&sync).await?;
            }
            socket.flush().await?;
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<()> {
        let next = self.cursor + 1;
        if self.run.recent.borrow().get(next).is_some_and(|(known, _)| *known == bytes) {
            self.step();
            return Ok(());
        }
        let frame =
            from_cbor(&bytes).map_err(|error| BenchError::Broken(format!("a frame does not decode: {error}")))?;
        match frame {
            ServerFrame::Entry(entry) if entry.log == self.run.log => {
                self.seen = self.seen.max(entry.seq);
                if entry.seq == next {
                    self.store(&entry)?;
                    if self.run.recent.borrow().get(next).is_none() {
                        let cursor = cursor_frame(self.run.log, next);
                        self.run.recent.borrow_mut().push(next, bytes, cursor);
                    }
                }
            }
            ServerFrame::Page(page) if page.log == self.run.log => {
                self.asked = false;
                self.seen = self.seen.max(page.head);
                for entry in &page.entries {
                    if entry.seq <= self.cursor {
                        continue;
                    }
                    if entry.seq != self.cursor + 1 {
                        return Err(BenchError::Broken(format!("a page has a hole after seq {}", self.cursor)));
                    }
                    self.store(entry)?;
                }
            }
            ServerFrame::Moved { log, head } if log == self.run.log => self.seen = self.seen.max(head),
            ServerFrame::Goodbye { code, detail, .. } => {
                return Err(BenchError::Server(format!("it said goodbye: {}: {detail}", code.as_str())));
            }
            _ => {}
        }
        Ok(())
    }

    /// The next entry: it must be the next message, untouched.
    fn store(&mut self, entry: &Entry) -> Result<()> {
        check(entry, self.cursor - self.run.base, self.run.payload_bytes)?;
        self.step();
        Ok(())
    }

    fn step(&mut self) {
        self.run.stored(self.cursor - self.run.base);
        self.cursor += 1;
        self.seen = self.seen.max(self.cursor);
    }
}

fn cursor_frame(log: LogId, seq: u64) -> Bytes {
    to_cbor(&ClientFrame::Cursor { log, seq })
}
