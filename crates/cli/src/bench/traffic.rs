//! The load: each pair keeps a window of messages on their way, and everything that arrives is checked.
//!
//! A message counts when its receipt is back: the recipient has it, has sent its `Cursor`, and the sender has the
//! watermark. All pairs run on one thread, two tasks each, so that the client takes as little as possible from the
//! server. Like a real client, a recipient confirms everything that it has just read with one `Cursor`.

use super::error::{BenchError, Result};
use super::people::{Pair, message_id};
use super::socket::{Dial, Socket};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tidings_proto::entry::{Body, Entry};
use tidings_proto::frame::{Append, ClientFrame, ServerFrame};
use tidings_proto::id::{ConversationId, LogId, MessageId};
use tidings_proto::limit;
use tidings_proto::payload::Payload;
use tokio::task::JoinSet;

/// Without a single receipt for so long, the run has failed.
const STALL: Duration = Duration::from_secs(15);

/// What all tasks of a run share. One thread, hence no locks.
#[derive(Debug)]
pub struct Run {
    window: usize,
    payload_bytes: usize,
    stop: Cell<bool>,
    /// Receipts since the start, and since when the newest came.
    confirmed: Cell<u64>,
    newest: Cell<Instant>,
    /// Times from sending to receipt, kept while measuring.
    measuring: Cell<bool>,
    samples: RefCell<Vec<Duration>>,
    /// How often a recipient had to ask for what it had not been sent.
    resyncs: Cell<u64>,
}

impl Run {
    pub fn new(window: usize, payload_bytes: usize) -> Rc<Self> {
        Rc::new(Self {
            window,
            payload_bytes,
            stop: Cell::new(false),
            confirmed: Cell::new(0),
            newest: Cell::new(Instant::now()),
            measuring: Cell::new(false),
            samples: RefCell::default(),
            resyncs: Cell::new(0),
        })
    }

    pub fn confirmed(&self) -> u64 {
        self.confirmed.get()
    }

    pub fn resyncs(&self) -> u64 {
        self.resyncs.get()
    }

    pub fn measure(&self, on: bool) {
        self.measuring.set(on);
    }

    pub fn take_samples(&self) -> Vec<Duration> {
        self.samples.take()
    }

    fn confirm(&self, sent_at: Instant, now: Instant) {
        self.confirmed.set(self.confirmed.get() + 1);
        self.newest.set(now);
        if self.measuring.get() {
            self.samples.borrow_mut().push(now - sent_at);
        }
    }
}

/// Pairs at work. Must be started inside a `LocalSet`.
#[derive(Debug)]
pub struct Traffic {
    run: Rc<Run>,
    senders: JoinSet<Result<()>>,
    recipients: JoinSet<Result<()>>,
    both: Vec<Rc<Tally>>,
}

/// What one pair has done; the two must agree in the end.
#[derive(Debug, Default)]
struct Tally {
    sent: Cell<u64>,
    received: Cell<u64>,
}

impl Traffic {
    pub async fn start(dial: Dial, pairs: &[Pair], run: Rc<Run>) -> Result<Self> {
        let (mut senders, mut recipients, mut both) = (JoinSet::new(), JoinSet::new(), Vec::new());
        for pair in pairs {
            let (from, _) = Socket::open(dial, &pair.from.token).await?;
            let (to, plan) = Socket::open(dial, &pair.to.token).await?;
            let log = LogId::from(pair.conversation);
            let head = plan.iter().find(|it| it.log == log).map_or(0, |it| it.head);
            let tally = Rc::new(Tally::default());
            both.push(tally.clone());
            let recipient =
                Recipient { log, cursor: head, seen: head, asked: false, run: run.clone(), tally: tally.clone() };
            recipients.spawn_local(recipient.work(to));
            let sender = Sender {
                pair: pair.clone(),
                watermark: 0,
                next: 0,
                under_way: Vec::with_capacity(run.window),
                run: run.clone(),
                tally,
            };
            senders.spawn_local(sender.work(from));
        }
        run.newest.set(Instant::now());
        Ok(Self { run, senders, recipients, both })
    }

    /// Lets it run for so long, or until something is wrong.
    pub async fn keep_up(&mut self, time: Duration) -> Result<()> {
        let end = tokio::time::Instant::now() + time;
        loop {
            let check = end.min(tokio::time::Instant::now() + Duration::from_secs(1));
            tokio::select! {
                () = tokio::time::sleep_until(check) => {}
                Some(ended) = self.senders.join_next() => return Err(too_early(ended)),
                Some(ended) = self.recipients.join_next() => return Err(too_early(ended)),
            }
            if self.run.newest.get().elapsed() > STALL {
                return Err(self.stalled());
            }
            if tokio::time::Instant::now() >= end {
                return Ok(());
            }
        }
    }

    /// Sends nothing new, waits until nothing is outstanding, and compares what was sent with what arrived.
    pub async fn finish(mut self) -> Result<()> {
        self.run.stop.set(true);
        while !self.senders.is_empty() {
            tokio::select! {
                Some(ended) = self.senders.join_next() => ended.map_err(|error| too_early(Err(error)))??,
                Some(ended) = self.recipients.join_next() => return Err(too_early(ended)),
                () = tokio::time::sleep(STALL) => return Err(self.stalled()),
            }
        }
        // Every receipt is back, so every recipient has read all there is.
        for tally in &self.both {
            if tally.sent != tally.received {
                let (sent, received) = (tally.sent.get(), tally.received.get());
                return Err(BenchError::Broken(format!("of {sent} messages of a pair, {received} arrived")));
            }
        }
        Ok(())
    }

    fn stalled(&self) -> BenchError {
        let sent: u64 = self.both.iter().map(|tally| tally.sent.get()).sum();
        let received: u64 = self.both.iter().map(|tally| tally.received.get()).sum();
        let confirmed = self.run.confirmed();
        BenchError::Broken(format!(
            "no receipt for {} s: {sent} messages sent, {received} received, {confirmed} confirmed",
            STALL.as_secs()
        ))
    }
}

fn too_early(ended: std::result::Result<Result<()>, tokio::task::JoinError>) -> BenchError {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) => BenchError::Setup("a pair ended before its time".into()),
        Err(error) => BenchError::Setup(format!("a pair failed: {error}")),
    }
}

/// Not yet confirmed.
#[derive(Debug)]
struct UnderWay {
    message_id: MessageId,
    sent_at: Instant,
    seq: Option<u64>,
}

struct Sender {
    pair: Pair,
    watermark: u64,
    next: u64,
    under_way: Vec<UnderWay>,
    run: Rc<Run>,
    tally: Rc<Tally>,
}

impl Sender {
    async fn work(mut self, mut socket: Socket) -> Result<()> {
        loop {
            if !self.run.stop.get() {
                self.fill(&mut socket).await?;
            } else if self.under_way.is_empty() {
                socket.close().await;
                return Ok(());
            }
            let frame = socket.next().await?;
            self.take(frame)?;
            while let Some(frame) = socket.ready()? {
                self.take(frame)?;
            }
            self.sweep();
        }
    }

    /// Sends until the window is full.
    async fn fill(&mut self, socket: &mut Socket) -> Result<()> {
        if self.under_way.len() >= self.run.window {
            return Ok(());
        }
        while self.under_way.len() < self.run.window {
            let message_id = message_id();
            let payload = payload(self.pair.conversation, self.next, self.run.payload_bytes);
            socket.feed(&append(self.pair.conversation, message_id, payload)).await?;
            self.next += 1;
            self.tally.sent.set(self.next);
            self.under_way.push(UnderWay { message_id, sent_at: Instant::now(), seq: None });
        }
        socket.flush().await
    }

    fn take(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Appended { message_id, seq, .. } => {
                match self.under_way.iter_mut().find(|it| it.message_id == message_id && it.seq.is_none()) {
                    Some(it) => it.seq = Some(seq),
                    None => return Err(BenchError::Broken(format!("seq {seq} answers nothing that was sent"))),
                }
            }
            ServerFrame::Receipts { conversation, watermarks } if conversation == self.pair.conversation => {
                let theirs = watermarks.iter().filter(|watermark| watermark.account == self.pair.to.account);
                self.watermark = theirs.map(|theirs| theirs.delivered).fold(self.watermark, u64::max);
            }
            ServerFrame::Entry(_) => return Err(BenchError::Broken("an author got its own entry back".into())),
            _ => {}
        }
        Ok(())
    }

    fn sweep(&mut self) {
        let (now, watermark) = (Instant::now(), self.watermark);
        self.under_way.retain(|it| {
            let confirmed = it.seq.is_some_and(|seq| seq <= watermark);
            if confirmed {
                self.run.confirm(it.sent_at, now);
            }
            !confirmed
        });
    }
}

struct Recipient {
    log: LogId,
    /// What it has without a hole.
    cursor: u64,
    /// The highest seq that it has heard of.
    seen: u64,
    /// A `Sync` is on its way.
    asked: bool,
    run: Rc<Run>,
    tally: Rc<Tally>,
}

impl Recipient {
    async fn work(mut self, mut socket: Socket) -> Result<()> {
        loop {
            let before = self.cursor;
            let frame = socket.next().await?;
            self.take(frame)?;
            while let Some(frame) = socket.ready()? {
                self.take(frame)?;
            }
            if self.cursor > before {
                socket.feed(&ClientFrame::Cursor { log: self.log, seq: self.cursor }).await?;
            }
            if self.seen > self.cursor && !self.asked {
                self.asked = true;
                self.run.resyncs.set(self.run.resyncs.get() + 1);
                let sync = ClientFrame::Sync { log: self.log, after: self.cursor, limit: limit::PAGE_MAX_ENTRIES };
                socket.feed(&sync).await?;
            }
            socket.flush().await?;
        }
    }

    fn take(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Entry(entry) if entry.log == self.log => {
                self.seen = self.seen.max(entry.seq);
                if entry.seq == self.cursor + 1 {
                    self.store(&entry)?;
                }
            }
            ServerFrame::Page(page) if page.log == self.log => {
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
            ServerFrame::Moved { log, head } if log == self.log => self.seen = self.seen.max(head),
            _ => {}
        }
        Ok(())
    }

    /// The next entry: it must be the next message, untouched.
    fn store(&mut self, entry: &Entry) -> Result<()> {
        check(entry, self.tally.received.get(), self.run.payload_bytes)?;
        self.cursor = entry.seq;
        self.tally.received.set(self.tally.received.get() + 1);
        Ok(())
    }
}

pub fn append(conversation: ConversationId, message_id: MessageId, payload: Payload) -> ClientFrame {
    ClientFrame::Append(Append { conversation, message_id, epoch: 1, payload, silent: false, expires_in_s: None })
}

/// Bytes that tell which message of which conversation this is, and that any flipped bit would show in.
pub fn payload(conversation: ConversationId, number: u64, bytes: usize) -> Payload {
    let id = conversation.as_bytes();
    let mut state = u64::from_le_bytes(id[..8].try_into().expect("eight of sixteen bytes")) ^ number.rotate_left(32);
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        out.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    out.truncate(bytes);
    out.into()
}

/// Whether this entry is the message with that number.
pub fn check(entry: &Entry, number: u64, bytes: usize) -> Result<()> {
    match &entry.body {
        Body::Message { payload: got, .. } if *got == payload(entry.log.as_conversation(), number, bytes) => Ok(()),
        Body::Message { .. } => {
            Err(BenchError::Broken(format!("seq {} is not message {number}, or not as it was sent", entry.seq)))
        }
        _ => Err(BenchError::Broken(format!("seq {} is no message", entry.seq))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_differ_by_conversation_and_number_and_have_their_length() {
        let (a, b) = (ConversationId::from_bytes([1; 16]), ConversationId::from_bytes([2; 16]));
        assert_eq!(payload(a, 0, 256), payload(a, 0, 256));
        assert_ne!(payload(a, 0, 256), payload(a, 1, 256));
        assert_ne!(payload(a, 0, 256), payload(b, 0, 256));
        assert_eq!(payload(a, 7, 13).len(), 13);
    }
}
