//! The queue of one connection: bounded, and never waited for by those who put something in.
//!
//! * *Answers* (to what this connection asked) always fit: the reader takes a credit before it accepts a frame that will
//!   be answered ([`Outbox::credit`]) and the writer gives it back when it takes the answer out, so a peer that does not
//!   read is soon not read from either.
//! * *Live entries* are dropped when too much waits; the log is then noted as moved, and [`ServerFrame::Moved`] goes out
//!   as soon as the writer has room again. Too many moved logs end the connection: planning afresh is cheaper.
//! * *Receipts* are kept as the newest value per member. *Signals* and *presence* are the first to go.
//!
//! One reader task and one writer task wait here. Bytes of pages are bounded by their weight in credits.

use super::live::{LiveEntry, LiveReceipts, LiveSignal, Outgoing};
use super::lock;
use crate::error::Error;
use futures_util::task::AtomicWaker;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use tidings_proto::frame::{Presence, ServerFrame, Watermark};
use tidings_proto::id::{ConversationId, LogId};
use tidings_proto::limit::{APPENDS_IN_FLIGHT_MAX, SESSION_QUEUE_MAX_FRAMES};
use tidings_proto::problem::Code;

/// Bytes of live entries that wait, counted in full although connections share them.
const QUEUE_MAX_BYTES: usize = 1024 * 1024;
/// Above this many waiting frames signals are dropped.
const SIGNALS_QUEUE_MAX_FRAMES: usize = SESSION_QUEUE_MAX_FRAMES / 4;
/// Above this many waiting frames nothing is told of who is online.
const PRESENCE_QUEUE_MAX_FRAMES: usize = SESSION_QUEUE_MAX_FRAMES / 8;
/// Above this many waiting frames the gathered receipts of groups are dropped; they stand in the next plan.
const RECEIPTS_QUEUE_MAX_FRAMES: usize = SESSION_QUEUE_MAX_FRAMES / 2;
/// Watermarks that wait; more are dropped, and stand in the next plan.
const RECEIPTS_MAX: usize = 256;
/// Logs that moved unseen.
const MOVED_MAX_LOGS: usize = 1_024;
/// When a connection that fell too far behind comes back.
const BEHIND_RETRY_MS: u64 = 1_000;

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goodbye {
    pub code: Code,
    pub detail: String,
    pub retry_after_ms: Option<u64>,
}

impl Goodbye {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_ms: None }
    }
}

impl From<Error> for Goodbye {
    fn from(error: Error) -> Self {
        Self { code: error.code, detail: error.detail, retry_after_ms: error.retry_after_ms }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Credits that are out: frames that were accepted and whose answers have not been taken by the writer.
    credits: AtomicU32,
    closed: AtomicBool,
    abandoned: AtomicBool,
    writing: AtomicBool,
    written: AtomicU32,
    /// Wakes the reader when it should stop reading,
    reader_close: AtomicWaker,
    /// and when it waits for credit.
    reader_credit: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<Outgoing>,
    /// How many of them are live, and their bytes.
    live: usize,
    live_bytes: usize,
    receipts: Vec<(ConversationId, Watermark)>,
    moved: BTreeMap<LogId, u64>,
    /// Credits that the answers in `frames` give back.
    answered: u32,
    ping: bool,
    goodbye: Option<Box<Goodbye>>,
    writer: Option<Waker>,
    /// Live frames, receipts and signals that were not put in.
    shed: u64,
}

/// What the writer got.
#[derive(Debug)]
pub enum Taken {
    /// Frames, in the caller's buffer; write them and come back. `ping`: the peer was silent, ask it.
    Frames { ping: bool },
    /// The last word: write it and close.
    Goodbye(Goodbye),
}

impl Outbox {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Locks the queue for some pushes; the writer wakes when the guard goes.
    pub fn pusher(&self) -> Pusher<'_> {
        Pusher { outbox: self, queue: lock(&self.queue), wake: Wake(None) }
    }

    /// For the reader: ready while there is room for further answers. It may take more than there is by one frame.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.has_room() {
            self.reader_credit.register(cx.waker());
            if !self.has_room() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    pub fn has_room(&self) -> bool {
        self.credits.load(Ordering::Acquire) < APPENDS_IN_FLIGHT_MAX as u32 || self.is_closed()
    }

    /// The reader accepted a frame whose answer weighs so much.
    pub fn credit(&self, weight: u32) {
        self.credits.fetch_add(weight, Ordering::AcqRel);
    }

    /// Gives back credit for which no answer is put in.
    pub fn give_back(&self, weight: u32) {
        self.credits.fetch_sub(weight, Ordering::AcqRel);
        self.reader_credit.wake();
        // The writer may be waiting for the last answer before it says goodbye.
        drop(self.pusher());
    }

    /// Ends the connection after what already waits and what is still to be answered. The first reason stands.
    pub fn close(&self, goodbye: Goodbye) {
        self.pusher().close(goodbye);
    }

    /// For the writer, while it writes.
    pub fn writing(&self) -> Writing<'_> {
        self.writing.store(true, Ordering::Relaxed);
        Writing(self)
    }

    /// Whether the writer is at it, and how often it was done.
    pub fn progress(&self) -> (bool, u32) {
        (self.writing.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed))
    }

    /// For the writer: the connection is broken.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.close(Goodbye::new(Code::Timeout, "The connection is broken."));
    }

    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Asks the writer to ping the peer.
    pub fn ping(&self) {
        self.pusher().queue.ping = true;
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// For the reader: ready once the connection is to end.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_closed() {
            self.reader_close.register(cx.waker());
            if !self.is_closed() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// For the writer: all that waits, into `frames` (which is empty); waits while there is nothing.
    pub async fn take(&self, frames: &mut Vec<Outgoing>) -> Taken {
        poll_fn(|cx| self.poll_take(cx, frames)).await
    }

    fn poll_take(&self, cx: &mut Context<'_>, frames: &mut Vec<Outgoing>) -> Poll<Taken> {
        let mut queue = lock(&self.queue);
        std::mem::swap(&mut queue.frames, frames);
        (queue.live, queue.live_bytes) = (0, 0);
        frames.extend(
            std::mem::take(&mut queue.moved)
                .into_iter()
                .map(|(log, head)| Outgoing::Frame(Box::new(ServerFrame::Moved { log, head }))),
        );
        frames.extend(
            queue.receipts.drain(..).map(|(conversation, watermark)| Outgoing::Receipt { conversation, watermark }),
        );
        let answered = std::mem::take(&mut queue.answered);
        let ping = std::mem::take(&mut queue.ping);
        if frames.is_empty() && !ping {
            if self.credits.load(Ordering::Acquire) == 0
                && let Some(goodbye) = queue.goodbye.take()
            {
                return Poll::Ready(Taken::Goodbye(*goodbye));
            }
            if !queue.writer.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                queue.writer = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        drop(queue);
        if answered > 0 {
            self.credits.fetch_sub(answered, Ordering::AcqRel);
            self.reader_credit.wake();
        }
        Poll::Ready(Taken::Frames { ping })
    }

    /// How much was shed since the last call.
    pub fn take_shed(&self) -> u64 {
        std::mem::take(&mut lock(&self.queue).shed)
    }
}

/// The writer is at it until this is dropped.
#[derive(Debug)]
pub struct Writing<'a>(&'a Outbox);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.written.fetch_add(1, Ordering::Relaxed);
        self.0.writing.store(false, Ordering::Relaxed);
    }
}

/// Puts frames into an outbox; see [`Outbox::pusher`].
#[derive(Debug)]
pub struct Pusher<'a> {
    outbox: &'a Outbox,
    queue: MutexGuard<'a, Queue>,
    /// Dropped after the lock, so that the writer does not wake only to wait for it.
    wake: Wake,
}

#[derive(Debug)]
struct Wake(Option<Waker>);

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl Drop for Pusher<'_> {
    fn drop(&mut self) {
        self.wake.0 = self.queue.writer.take();
    }
}

impl Pusher<'_> {
    /// An answer, for which the reader took this much credit.
    pub fn answer(&mut self, answer: Outgoing, weight: u32) {
        self.queue.answered += weight;
        self.queue.frames.push(answer);
    }

    pub fn live(&mut self, entry: &Arc<LiveEntry>) {
        if self.outbox.is_closed() {
            return;
        }
        let queue = &mut *self.queue;
        let (log, seq) = (entry.entry.log, entry.entry.seq);
        // Once a log has a hole its further entries are of no use to the client, which asks for the page anyway.
        let holed = !queue.moved.is_empty() && queue.moved.contains_key(&log);
        if holed || queue.live >= SESSION_QUEUE_MAX_FRAMES || queue.live_bytes + entry.size() > QUEUE_MAX_BYTES {
            queue.shed += 1;
            return self.moved(log, seq);
        }
        queue.live += 1;
        queue.live_bytes += entry.size();
        queue.frames.push(Outgoing::Entry(entry.clone()));
    }

    pub fn moved(&mut self, log: LogId, head: u64) {
        if self.outbox.is_closed() {
            return;
        }
        let known = self.queue.moved.entry(log).or_default();
        *known = head.max(*known);
        if self.queue.moved.len() > MOVED_MAX_LOGS {
            self.queue.moved.clear();
            self.close(Goodbye {
                code: Code::Timeout,
                detail: "This connection is read too slowly; connect again and see what moved.".into(),
                retry_after_ms: Some(BEHIND_RETRY_MS),
            });
        }
    }

    pub fn receipt(&mut self, conversation: ConversationId, watermark: Watermark) {
        let queue = &mut *self.queue;
        let same = |(other, known): &&mut (ConversationId, Watermark)| {
            *other == conversation && known.account == watermark.account
        };
        if let Some((_, known)) = queue.receipts.iter_mut().find(same) {
            known.delivered = known.delivered.max(watermark.delivered);
            known.read = known.read.max(watermark.read);
        } else if queue.receipts.len() < RECEIPTS_MAX && !self.outbox.is_closed() {
            queue.receipts.push((conversation, watermark));
        } else {
            queue.shed += 1;
        }
    }

    pub fn receipts(&mut self, receipts: &Arc<LiveReceipts>) {
        let queue = &mut *self.queue;
        if queue.live >= RECEIPTS_QUEUE_MAX_FRAMES || self.outbox.is_closed() {
            queue.shed += 1;
            return;
        }
        queue.live += 1;
        queue.live_bytes += receipts.size();
        queue.frames.push(Outgoing::Receipts(receipts.clone()));
    }

    pub fn signal(&mut self, signal: &Arc<LiveSignal>) {
        let queue = &mut *self.queue;
        if queue.live >= SIGNALS_QUEUE_MAX_FRAMES || self.outbox.is_closed() {
            queue.shed += 1;
            return;
        }
        queue.live += 1;
        queue.live_bytes += signal.payload.len();
        queue.frames.push(Outgoing::Signal(signal.clone()));
    }

    /// False if it was not put in.
    pub fn presence(&mut self, presence: Presence) -> bool {
        let queue = &mut *self.queue;
        if queue.live >= PRESENCE_QUEUE_MAX_FRAMES || self.outbox.is_closed() {
            queue.shed += 1;
            return false;
        }
        queue.live += 1;
        queue.frames.push(Outgoing::Frame(Box::new(ServerFrame::Presence(presence))));
        true
    }

    fn close(&mut self, goodbye: Goodbye) {
        if !self.outbox.closed.swap(true, Ordering::AcqRel) {
            self.queue.goodbye = Some(Box::new(goodbye));
            self.outbox.reader_close.wake();
            self.outbox.reader_credit.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tidings_proto::codec::{Format, StoredEntry};
    use tidings_proto::entry::{Body, Entry, Sender};
    use tidings_proto::id::{AccountId, DeviceId, MessageId};

    fn entry(log: u16, seq: u64, bytes: usize) -> Arc<LiveEntry> {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&log.to_be_bytes());
        let entry = Entry {
            log: LogId::from_bytes(id),
            seq,
            time_ms: 1,
            epoch: 1,
            message_id: MessageId::new(1, [0; 10]),
            sender: Sender { account: AccountId::from_bytes([1; 16]), device: DeviceId::from_bytes([2; 16]) },
            commit_seq: 1,
            ordinal: seq,
            expires_ms: 2,
            body: Body::Message { payload: vec![0; bytes].into(), silent: false },
        };
        let stored = StoredEntry::encode(&entry);
        LiveEntry::new(entry, stored)
    }

    /// What a client would read now.
    fn taken(outbox: &Outbox) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        match outbox.take(&mut frames).now_or_never() {
            Some(Taken::Frames { .. }) => {
                frames.into_iter().map(|frame| Format::Cbor.decode(&frame.encode(Format::Cbor)).unwrap()).collect()
            }
            Some(Taken::Goodbye(Goodbye { code, detail, retry_after_ms })) => {
                vec![ServerFrame::Goodbye { code, detail, retry_after_ms }]
            }
            None => Vec::new(),
        }
    }

    fn pong(nonce: u64) -> Outgoing {
        Outgoing::Frame(Box::new(ServerFrame::Pong { nonce }))
    }

    #[test]
    fn what_does_not_fit_is_told_as_moved_once_there_is_room() {
        let outbox = Outbox::new();
        for seq in 1..=SESSION_QUEUE_MAX_FRAMES as u64 + 5 {
            outbox.pusher().live(&entry(1, seq, 10));
        }
        let frames = taken(&outbox);
        assert_eq!(frames.len(), SESSION_QUEUE_MAX_FRAMES + 1);
        let (log, head) = (entry(1, 1, 0).entry.log, SESSION_QUEUE_MAX_FRAMES as u64 + 5);
        assert_eq!(frames.last(), Some(&ServerFrame::Moved { log, head }));
        assert_eq!((taken(&outbox), outbox.take_shed()), (vec![], 5));
        // With room again, live entries flow again.
        outbox.pusher().live(&entry(1, 600, 10));
        assert!(matches!(taken(&outbox)[..], [ServerFrame::Entry(_)]));
    }

    #[test]
    fn bytes_are_bounded_too_and_other_logs_still_fit() {
        let outbox = Outbox::new();
        for seq in 1..=20 {
            outbox.pusher().live(&entry(1, seq, 60_000));
        }
        outbox.pusher().live(&entry(2, 1, 10));
        let frames = taken(&outbox);
        let entries = frames.iter().filter(|frame| matches!(frame, ServerFrame::Entry(_))).count();
        assert_eq!((entries, frames.len()), (QUEUE_MAX_BYTES / 60_200 + 1, QUEUE_MAX_BYTES / 60_200 + 2));
    }

    #[test]
    fn too_many_moved_logs_end_the_connection() {
        let outbox = Outbox::new();
        for log in 0..=MOVED_MAX_LOGS as u16 {
            assert!(!outbox.is_closed());
            outbox.pusher().moved(entry(log, 1, 0).entry.log, 9);
        }
        assert!(outbox.is_closed());
        assert!(matches!(taken(&outbox)[..], [ServerFrame::Goodbye { code: Code::Timeout, .. }]));
        assert_eq!(taken(&outbox), vec![]);
    }

    #[test]
    fn receipts_of_one_member_become_the_newest_and_signals_go_first() {
        let outbox = Outbox::new();
        let conversation = entry(1, 1, 0).entry.log.as_conversation();
        let mark = |delivered, read| Watermark { account: AccountId::from_bytes([7; 16]), delivered, read, time_ms: 0 };
        for (delivered, read) in [(1, 0), (3, 0), (3, 2), (2, 1)] {
            outbox.pusher().receipt(conversation, mark(delivered, read));
        }
        assert_eq!(taken(&outbox), [ServerFrame::Receipts { conversation, watermarks: vec![mark(3, 2)] }]);
        let sender = entry(1, 1, 0).entry.sender;
        let signal = Arc::new(LiveSignal { conversation, sender, payload: vec![1].into() });
        for _ in 0..SESSION_QUEUE_MAX_FRAMES {
            outbox.pusher().signal(&signal);
        }
        assert_eq!(taken(&outbox).len(), SIGNALS_QUEUE_MAX_FRAMES);
    }

    #[test]
    fn answers_give_credit_back_when_the_writer_takes_them() {
        let outbox = Outbox::new();
        let room = || poll_fn(|cx| outbox.poll_room(cx)).now_or_never().is_some();
        for nonce in 0..APPENDS_IN_FLIGHT_MAX as u64 {
            assert!(room());
            outbox.credit(1);
            outbox.pusher().answer(pong(nonce), 1);
        }
        assert!(!room());
        assert_eq!(taken(&outbox).len(), APPENDS_IN_FLIGHT_MAX);
        assert!(room());
    }

    #[test]
    fn goodbye_comes_after_the_last_answer() {
        let outbox = Outbox::new();
        outbox.credit(1);
        outbox.close(Goodbye::new(Code::ShuttingDown, "first"));
        outbox.close(Goodbye::new(Code::Replaced, "second"));
        outbox.pusher().live(&entry(1, 1, 0));
        assert_eq!(taken(&outbox), vec![]);
        outbox.pusher().answer(pong(1), 1);
        assert_eq!(taken(&outbox), [ServerFrame::Pong { nonce: 1 }]);
        assert!(matches!(taken(&outbox)[..], [ServerFrame::Goodbye { code: Code::ShuttingDown, .. }]));
    }
}
