//! Who is connected to this node, and how to wake them.
//!
//! Each connected device has an [`Outbox`], found here by its account. Waking hands one shared, lazily encoded entry to
//! the outbox of every device that should have it, and never waits: an outbox that is full remembers that the log moved.
//! The hub knows nothing of conversations; whoever wakes says which accounts.
//!
//! Sharded by account, so that waking rarely meets waking. Nothing here is durable, and losing it loses no message.

mod encode;
mod live;
mod outbox;

pub use live::{LiveEntry, LiveReceipts, LiveSignal, Outgoing, StoredPage};
pub use outbox::{Goodbye, Outbox, Pusher, Taken};

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tidings_proto::entry::Sender;
use tidings_proto::frame::Watermark;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, LogId};
use tidings_proto::problem::Code;
use tokio::sync::Notify;

/// A power of two.
const SHARDS: usize = 64;
/// Long polls of one device that may wait at the same time; a further one ends the oldest.
const POLLS_PER_DEVICE_MAX: usize = 4;
/// When those who are told that the server goes down come back.
const RESTART_RETRY_MS: u64 = 1_000;

#[derive(Debug)]
pub struct Hub {
    shards: Box<[Mutex<Shard>]>,
    sessions: AtomicUsize,
    closing: AtomicBool,
}

type Shard = BTreeMap<AccountId, Presence>;

/// What one account has connected here.
#[derive(Debug, Default)]
struct Presence {
    sessions: Vec<(DeviceId, Arc<Outbox>)>,
    polls: Vec<(DeviceId, Arc<Waiting>)>,
}

/// A long poll that waits.
#[derive(Debug, Default)]
struct Waiting {
    notify: Notify,
    over: AtomicBool,
}

impl Waiting {
    fn wake(&self) {
        self.notify.notify_one();
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.wake();
    }
}

impl Presence {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.polls.is_empty()
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Hub {
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            sessions: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        }
    }

    /// Whether this device is connected here.
    pub fn has(&self, sender: Sender) -> bool {
        let shard = self.shard(sender.account);
        let is_here = |presence: &Presence| presence.sessions.iter().any(|(device, _)| *device == sender.device);
        shard.get(&sender.account).is_some_and(is_here)
    }

    /// How many devices are connected.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Connects a device. A connection that it had before is told that it was replaced.
    pub fn join(&self, sender: Sender, outbox: &Arc<Outbox>) -> Result<()> {
        let mut shard = self.shard(sender.account);
        // Under the lock: `shut_down` sets the flag first and then visits every shard, so nobody slips through.
        if self.closing.load(Ordering::SeqCst) {
            return Err(shutting_down());
        }
        let presence = shard.entry(sender.account).or_default();
        let replaced = match presence.sessions.iter_mut().find(|(device, _)| *device == sender.device) {
            Some((_, old)) => Some(std::mem::replace(old, outbox.clone())),
            None => {
                presence.sessions.push((sender.device, outbox.clone()));
                self.sessions.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        drop(shard);
        if let Some(old) = replaced {
            old.close(Goodbye::new(Code::Replaced, "This device connected again elsewhere."));
        }
        Ok(())
    }

    /// Ends what [`Hub::join`] began, unless a newer connection took its place.
    pub fn leave(&self, sender: Sender, outbox: &Arc<Outbox>) {
        let mut shard = self.shard(sender.account);
        let Some(presence) = shard.get_mut(&sender.account) else { return };
        let before = presence.sessions.len();
        presence.sessions.retain(|(device, other)| *device != sender.device || !Arc::ptr_eq(other, outbox));
        self.sessions.fetch_sub(before - presence.sessions.len(), Ordering::Relaxed);
        if presence.is_empty() {
            shard.remove(&sender.account);
        }
    }

    /// Hands entries of one log, in order, to the devices of an account, except to the authors themselves. Returns how
    /// many devices were reached.
    pub fn wake(&self, account: AccountId, entries: &[Arc<LiveEntry>]) -> usize {
        let shard = self.shard(account);
        let Some(presence) = shard.get(&account) else { return 0 };
        for (device, outbox) in &presence.sessions {
            let mut pusher = outbox.pusher();
            for entry in entries.iter().filter(|live| live.entry.sender.device != *device) {
                pusher.live(entry);
            }
        }
        presence.polls.iter().for_each(|(_, poll)| poll.wake());
        presence.sessions.len()
    }

    /// As [`Hub::wake`], for one device: its inbox.
    pub fn wake_device(&self, sender: Sender, entries: &[Arc<LiveEntry>]) -> usize {
        let shard = self.shard(sender.account);
        let Some(presence) = shard.get(&sender.account) else { return 0 };
        let mut woken = 0;
        for (_, outbox) in presence.sessions.iter().filter(|(device, _)| *device == sender.device) {
            let mut pusher = outbox.pusher();
            entries.iter().for_each(|entry| pusher.live(entry));
            woken += 1;
        }
        for (_, poll) in presence.polls.iter().filter(|(device, _)| *device == sender.device) {
            poll.wake();
        }
        woken
    }

    /// Tells the devices of an account that a log has entries which they were not sent.
    pub fn moved(&self, account: AccountId, log: LogId, head: u64) {
        let shard = self.shard(account);
        let Some(presence) = shard.get(&account) else { return };
        presence.sessions.iter().for_each(|(_, outbox)| outbox.pusher().moved(log, head));
        presence.polls.iter().for_each(|(_, poll)| poll.wake());
    }

    /// Announces a watermark to the devices of an account, except to the one that moved it.
    pub fn receipt(
        &self,
        account: AccountId,
        conversation: ConversationId,
        watermark: Watermark,
        except: Option<DeviceId>,
    ) {
        let shard = self.shard(account);
        let Some(presence) = shard.get(&account) else { return };
        for (device, outbox) in &presence.sessions {
            if Some(*device) != except {
                outbox.pusher().receipt(conversation, watermark);
            }
        }
    }

    /// Hands gathered watermarks to the devices of an account, except to the one that moved them.
    pub fn receipts(&self, account: AccountId, receipts: &Arc<LiveReceipts>, except: Option<DeviceId>) {
        let shard = self.shard(account);
        let Some(presence) = shard.get(&account) else { return };
        for (device, outbox) in &presence.sessions {
            if Some(*device) != except {
                outbox.pusher().receipts(receipts);
            }
        }
    }

    /// Hands a signal to the devices of an account, except to the one that sent it.
    pub fn signal(&self, account: AccountId, signal: &Arc<LiveSignal>, except: DeviceId) {
        let shard = self.shard(account);
        let Some(presence) = shard.get(&account) else { return };
        for (device, outbox) in &presence.sessions {
            if *device != except {
                outbox.pusher().signal(signal);
            }
        }
    }

    /// Ends the connection and the long polls of a device, if it has any here.
    pub fn disconnect(&self, sender: Sender, goodbye: Goodbye) {
        let shard = self.shard(sender.account);
        let Some(presence) = shard.get(&sender.account) else { return };
        for (_, outbox) in presence.sessions.iter().filter(|(device, _)| *device == sender.device) {
            outbox.close(goodbye.clone());
        }
        for (_, poll) in presence.polls.iter().filter(|(device, _)| *device == sender.device) {
            poll.end();
        }
    }

    /// Says goodbye to everybody and lets nobody in any more. Sessions still answer the appends that they took.
    pub fn shut_down(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            let shard = lock(shard);
            for presence in shard.values() {
                for (_, outbox) in &presence.sessions {
                    outbox.close(Goodbye::from(shutting_down()));
                }
                presence.polls.iter().for_each(|(_, poll)| poll.wake());
            }
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Registers a long poll: the returned guard is notified whenever a log of the account gets an entry.
    pub fn poll(&self, sender: Sender) -> Poll<'_> {
        let waiting = Arc::new(Waiting::default());
        let mut shard = self.shard(sender.account);
        let polls = &mut shard.entry(sender.account).or_default().polls;
        polls.push((sender.device, waiting.clone()));
        let own = polls.iter().filter(|(device, _)| *device == sender.device).count();
        if own > POLLS_PER_DEVICE_MAX
            && let Some(oldest) = polls.iter().position(|(device, _)| *device == sender.device)
        {
            polls.remove(oldest).1.end();
        }
        Poll { hub: self, sender, waiting }
    }

    fn shard(&self, account: AccountId) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(account.as_bytes()[15]) & (SHARDS - 1)])
    }
}

/// A panic under one of these locks would leave lists that are still whole, so poison is of no interest.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn shutting_down() -> Error {
    Error::new(Code::ShuttingDown, "The server is going down; come back in a moment.").retry_after_ms(RESTART_RETRY_MS)
}

/// A long poll that waits; leaves the hub when dropped.
#[derive(Debug)]
pub struct Poll<'a> {
    hub: &'a Hub,
    sender: Sender,
    waiting: Arc<Waiting>,
}

impl Poll<'_> {
    /// Something came since the last call (or since the registration), or will now.
    pub async fn woken(&self) {
        self.waiting.notify.notified().await;
    }

    /// The device was logged out, or has too many polls: this one ends.
    pub fn is_over(&self) -> bool {
        self.waiting.over.load(Ordering::Acquire)
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        let mut shard = self.hub.shard(self.sender.account);
        let Some(presence) = shard.get_mut(&self.sender.account) else { return };
        presence.polls.retain(|(_, waiting)| !Arc::ptr_eq(waiting, &self.waiting));
        if presence.is_empty() {
            shard.remove(&self.sender.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn sender(account: u8, device: u8) -> Sender {
        Sender { account: AccountId::from_bytes([account; 16]), device: DeviceId::from_bytes([device; 16]) }
    }

    #[test]
    fn a_device_has_one_connection_and_leaving_late_harms_nobody() {
        let hub = Hub::new();
        let (old, new) = (Outbox::new(), Outbox::new());
        hub.join(sender(1, 1), &old).unwrap();
        hub.join(sender(1, 1), &new).unwrap();
        assert!(old.is_closed() && !new.is_closed());
        hub.leave(sender(1, 1), &old);
        assert_eq!(hub.sessions(), 1);
        hub.leave(sender(1, 1), &new);
        assert_eq!(hub.sessions(), 0);
        assert!(hub.shards.iter().all(|shard| lock(shard).is_empty()));
    }

    #[test]
    fn after_a_shutdown_nobody_comes_in() {
        let hub = Hub::new();
        let (inside, late) = (Outbox::new(), Outbox::new());
        hub.join(sender(1, 1), &inside).unwrap();
        hub.shut_down();
        assert!(inside.is_closed());
        assert_eq!(hub.join(sender(2, 2), &late).unwrap_err().code, Code::ShuttingDown);
    }

    #[test]
    fn a_poll_that_is_woken_before_it_waits_does_not_wait() {
        let hub = Hub::new();
        let poll = hub.poll(sender(1, 1));
        assert!(poll.woken().now_or_never().is_none());
        hub.wake(sender(1, 1).account, &[]);
        assert!(poll.woken().now_or_never().is_some());
        let more: Vec<Poll<'_>> = (0..POLLS_PER_DEVICE_MAX).map(|_| hub.poll(sender(1, 1))).collect();
        assert!(poll.is_over() && more.iter().all(|poll| !poll.is_over()));
        drop((poll, more));
        assert!(hub.shards.iter().all(|shard| lock(shard).is_empty()));
    }
}
