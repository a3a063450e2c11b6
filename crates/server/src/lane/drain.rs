//! The task that commits what waits for a log: one commit at a time, each as large as it can be.
//!
//! After a commit, in this order: the lane knows the new head, each author is answered, the readers are woken. If the
//! store fails, nothing is known: authors are told to try again, and the head is read before anything else happens.

use super::roster::Roster;
use super::state::Lane;
use crate::error::{Error, Result};
use crate::hub::{LiveEntry, Outbox, Outgoing};
use crate::server::Server;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::frame::{Refused, ServerFrame};
use tidings_proto::id::{AccountId, MessageId};
use tidings_proto::problem::Code;
use tidings_store::StoreError;
use tidings_store::log::{AppendError, Appended, Head, NewEntry, Sent};
use tokio::sync::oneshot;

/// How often others may win the race for a log's head before the waiting appends are refused.
const RACES_MAX: u32 = 16;
const RACE_RETRY_MS: u64 = 250;

/// Who gets the answer to an append.
#[derive(Debug)]
pub enum Reply {
    /// A connection, as `Appended` or `Refused`.
    Session(Arc<Outbox>),
    /// Whoever waits.
    Call(oneshot::Sender<Result<Sent>>),
}

/// Appends with those who wait for them, in order.
#[derive(Debug, Default)]
pub(super) struct Work {
    entries: Vec<NewEntry>,
    waits: Vec<Wait>,
}

#[derive(Debug)]
struct Wait {
    reply: Reply,
    since: Instant,
}

impl Work {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn push(&mut self, entry: NewEntry, reply: Reply) {
        self.entries.push(entry);
        self.waits.push(Wait { reply, since: Instant::now() });
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds what waits behind what is here.
    fn take(&mut self, waiting: &mut Work) {
        if self.is_empty() {
            std::mem::swap(self, waiting);
        } else {
            self.entries.append(&mut waiting.entries);
            self.waits.append(&mut waiting.waits);
        }
    }
}

/// Should the task end by a panic, the log gets a new one with the next append.
struct Committing<'a>(&'a Lane);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stale.store(true, Ordering::Release);
            self.0.lock().committing = false;
        }
    }
}

pub(super) async fn drain(server: Arc<Server>, lane: Arc<Lane>) {
    let _committing = Committing(&lane);
    let mut work = Work::default();
    let mut races = 0;
    // Entries that one commit may take: what follows a commit and carries its old epoch is judged after it.
    let mut most = usize::MAX;
    loop {
        if lane.stale.load(Ordering::Acquire)
            && let Err(error) = lane.refresh(&server, false).await
        {
            work.take(&mut lane.lock().waiting);
            refuse_all(&server, &lane, &mut work, &error);
        }
        judge_again(&server, &lane, &mut work);
        let head = {
            let mut state = lane.lock();
            work.take(&mut state.waiting);
            state.under_way = work.len();
            if work.is_empty() {
                state.committing = false;
                return;
            }
            state.head
        };
        // What waits behind a leave or a log-out is judged after it.
        let leave = work.entries.iter().position(|entry| matches!(entry.body, Body::Leave { .. } | Body::Gone { .. }));
        let batch = &work.entries[..most.min(work.len()).min(leave.map_or(usize::MAX, |index| index + 1))];
        most = usize::MAX;
        match server.log.append(lane.log, &head, batch, server.clock.now_ms()).await {
            Ok(appended) => {
                races = 0;
                let roster = finish(&server, &lane, &mut work, appended);
                if let Some(roster) = roster {
                    roster.save(&server.store, lane.log).await;
                    if let Err(error) = lane.load_unshared(&server).await {
                        tracing::warn!(%error, "what new members share is not known");
                    }
                }
            }
            Err(AppendError::HeadMoved) => {
                races += 1;
                lane.stale.store(true, Ordering::Release);
                if races > RACES_MAX {
                    let error = Error::new(Code::Overloaded, "Too many append to this log at the same time.");
                    refuse_all(&server, &lane, &mut work, &error.retry_after_ms(RACE_RETRY_MS));
                }
            }
            Err(AppendError::Repeat { index, seq, time_ms }) => {
                repeat(&server, &lane, &mut work, index, Sent { seq, time_ms }).await;
            }
            Err(AppendError::StaleEpoch { index: 0 }) => stale_epoch(&server, &lane, &mut work, &head),
            Err(AppendError::StaleEpoch { index }) => most = index,
            Err(AppendError::Store(error)) => {
                if error != StoreError::Overloaded {
                    lane.stale.store(true, Ordering::Release);
                }
                refuse_all(&server, &lane, &mut work, &error.into());
            }
        }
    }
}

/// Refuses what the lane would not take any more, for somebody left since it was queued. Changes of rules need no second
/// look: they change the epoch.
fn judge_again(server: &Server, lane: &Lane, work: &mut Work) {
    let refused: Vec<(usize, Error)> = {
        let mut state = lane.lock();
        work.take(&mut state.waiting);
        if !state.roster.as_ref().is_some_and(|roster| roster.waits_for_commit()) {
            return;
        }
        let judged = work.entries.iter().map(|entry| state.check_group_entry(entry));
        judged.enumerate().filter_map(|(index, judged)| Some((index, judged.err()?))).collect()
    };
    for (index, error) in refused.into_iter().rev() {
        let (entry, wait) = (work.entries.remove(index), work.waits.remove(index));
        refuse(server, lane, wait, entry.message_id, &error);
    }
}

/// The first entries of `work` stand in the log. Returns the roster if it changed.
fn finish(server: &Server, lane: &Lane, work: &mut Work, appended: Appended) -> Option<Arc<Roster>> {
    let count = appended.entries.len();
    let entries: Vec<Arc<LiveEntry>> =
        appended.entries.into_iter().map(|(entry, stored)| LiveEntry::new(entry, stored)).collect();
    work.entries.drain(..count);
    let mut changed = None;
    let (readers, owner) = {
        let mut state = lane.lock();
        state.head = appended.head;
        let changes = |body: &Body| matches!(body, Body::Commit { .. } | Body::Leave { .. } | Body::Gone { .. });
        for live in entries.iter().filter(|live| changes(&live.entry.body)) {
            let roster = state.roster.take().map(Arc::unwrap_or_clone);
            state.roster = Roster::apply(roster, &live.entry).map(Arc::new);
            changed = state.roster.clone();
        }
        if changed.is_some() {
            state.admit_members();
        }
        state.note_authors(&entries);
        (state.readers(), state.owner)
    };
    server.metrics.appends_in_flight.dec_by(count as i64);
    answer(server, lane, work.waits.drain(..count), &entries);
    let mut woken = match &changed {
        // Nobody came or went, so everybody gets everything.
        None => readers.into_iter().map(|account| server.hub.wake(account, &entries)).sum::<usize>(),
        Some(roster) => wake_within_reach(server, lane, roster, &readers, &entries),
    };
    if let Some(account) = owner {
        let device = tidings_proto::id::DeviceId::from_bytes(*lane.log.as_bytes());
        woken += server.hub.wake_device(Sender { account, device }, &entries);
        server.metrics.inbox_appends.inc_by(count as u64);
    } else {
        server.metrics.appends.inc_by(count as u64);
    }
    server.metrics.wakes.inc_by(woken as u64);
    changed
}

/// After a change of members: each gets what it may read. Who was just added gets word that there is something; who is gone
/// gets the entry that says so.
fn wake_within_reach(
    server: &Server,
    lane: &Lane,
    roster: &Roster,
    readers: &[AccountId],
    entries: &[Arc<LiveEntry>],
) -> usize {
    let (first, last) = (entries[0].entry.seq, entries[entries.len() - 1].entry.seq);
    let gone = roster.former.iter().filter(|former| former.until_seq >= first).map(|former| former.account);
    let mut woken = 0;
    for account in readers.iter().copied().chain(gone) {
        let Some(reach) = roster.reach(account) else { continue };
        let until_seq = reach.until_seq.unwrap_or(last);
        let from = (reach.since_seq.clamp(first, last + 1) - first) as usize;
        let to = (until_seq.clamp(first - 1, last) + 1 - first) as usize;
        woken += server.hub.wake(account, &entries[from.min(to)..to]);
        if reach.since_seq > first && reach.until_seq.is_none() {
            server.hub.moved(account, lane.log, last);
        }
    }
    woken
}

/// Tells the authors. Neighbours of one connection share its lock and its writer's wake-up.
fn answer(server: &Server, lane: &Lane, waits: impl Iterator<Item = Wait>, entries: &[Arc<LiveEntry>]) {
    let now = Instant::now();
    let conversation = lane.log.as_conversation();
    let mut waits = waits.zip(entries).peekable();
    while let Some((wait, live)) = waits.next() {
        server.metrics.commit.observe(now - wait.since);
        let (seq, time_ms) = (live.entry.seq, live.entry.time_ms);
        let outbox = match wait.reply {
            Reply::Session(outbox) => outbox,
            Reply::Call(call) => {
                // Who asked may have gone; the entry stands all the same.
                let _ = call.send(Ok(Sent { seq, time_ms }));
                continue;
            }
        };
        let appended = |message_id, seq, time_ms| Outgoing::Appended { conversation, message_id, seq, time_ms };
        let mut pusher = outbox.pusher();
        pusher.answer(appended(live.entry.message_id, seq, time_ms), 1);
        let same = |(wait, _): &(Wait, &Arc<LiveEntry>)| matches!(&wait.reply, Reply::Session(other) if Arc::ptr_eq(other, &outbox));
        while let Some((wait, live)) = waits.next_if(same) {
            server.metrics.commit.observe(now - wait.since);
            pusher.answer(appended(live.entry.message_id, live.entry.seq, live.entry.time_ms), 1);
        }
    }
}

/// This entry was appended before: the same answer as then, unless the id stood for something else.
async fn repeat(server: &Server, lane: &Lane, work: &mut Work, index: usize, sent: Sent) {
    let entry = work.entries.remove(index);
    let wait = work.waits.remove(index);
    let stored = match server.log.entry(lane.log, sent.seq).await {
        Ok(stored) => stored.and_then(|stored| stored.decode().ok()),
        Err(error) => return refuse(server, lane, wait, entry.message_id, &error.into()),
    };
    // The bytes may differ: after a change of epoch a message is encrypted again under its old id.
    if stored.is_some_and(|stored| std::mem::discriminant(&stored.body) != std::mem::discriminant(&entry.body)) {
        let error = Error::new(Code::Conflict, "This message id was used for something else.");
        return refuse(server, lane, wait, entry.message_id, &error);
    }
    server.metrics.appends_in_flight.dec();
    match wait.reply {
        Reply::Session(outbox) => {
            let (conversation, message_id) = (lane.log.as_conversation(), entry.message_id);
            let Sent { seq, time_ms } = sent;
            outbox.pusher().answer(Outgoing::Appended { conversation, message_id, seq, time_ms }, 1);
        }
        Reply::Call(call) => drop(call.send(Ok(sent))),
    }
}

/// The first entry is not of the epoch that holds.
fn stale_epoch(server: &Server, lane: &Lane, work: &mut Work, head: &Head) {
    let entry = work.entries.remove(0);
    let wait = work.waits.remove(0);
    let epoch = head.epoch;
    let error = if matches!(&entry.body, Body::Commit { change, .. } if change.create.is_some()) && head.seq > 0 {
        Error::new(Code::Exists, "Somebody was faster: the conversation exists.")
    } else {
        Error::new(Code::StaleEpoch, format!("The conversation is at epoch {epoch}."))
    };
    refuse(server, lane, wait, entry.message_id, &error.at(epoch, head.seq));
}

fn refuse_all(server: &Server, lane: &Lane, work: &mut Work, error: &Error) {
    for (entry, wait) in work.entries.drain(..).zip(work.waits.drain(..)) {
        refuse(server, lane, wait, entry.message_id, error);
    }
}

fn refuse(server: &Server, lane: &Lane, wait: Wait, message_id: MessageId, error: &Error) {
    server.metrics.appends_in_flight.dec();
    match wait.reply {
        Reply::Session(outbox) => {
            let refused = Outgoing::refused(lane.log.as_conversation(), message_id, error.clone());
            outbox.pusher().answer(refused, 1);
        }
        Reply::Call(call) => drop(call.send(Err(error.clone()))),
    }
}

impl Outgoing {
    pub fn refused(conversation: tidings_proto::id::ConversationId, message_id: MessageId, error: Error) -> Self {
        let Error { code, detail, retry_after_ms, epoch, head, accounts } = error;
        let refused = Refused { conversation, message_id, code, detail, retry_after_ms, epoch, head, accounts };
        Outgoing::Frame(Box::new(ServerFrame::Refused(refused)))
    }
}
