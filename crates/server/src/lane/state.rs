//! What a lane knows, and the rules that need nothing else.

use super::drain::{Reply, Work, drain};
use super::gather::Gather;
use super::lock;
use super::marks::{Cursors, Marks};
use super::roster::Roster;
use crate::error::{Error, Result};
use crate::server::Server;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tidings_proto::entry::{Body, Sender};
use tidings_proto::frame::{Floor, Watermark};
use tidings_proto::id::{AccountId, LogId};
use tidings_proto::problem::Code;
use tidings_store::log::{Head, NewEntry};
use tokio::sync::OnceCell;

/// Appends of one log that wait for its commit; more are refused.
const WAITING_MAX: usize = 4_096;
const WAITING_RETRY_MS: u64 = 1_000;

/// One log in use.
#[derive(Debug)]
pub struct Lane {
    pub log: LogId,
    /// Since the eviction's hand came by.
    pub(super) used: AtomicBool,
    /// The head may be older than the log's: load it before the next use.
    pub(super) stale: AtomicBool,
    pub(super) loaded: OnceCell<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub head: Head,
    /// `None`: an inbox, or nothing is there yet.
    pub roster: Option<Arc<Roster>>,
    /// Of an inbox.
    pub owner: Option<AccountId>,
    pub marks: Marks,
    pub cursors: Cursors,
    /// Up to here what was delivered has been deleted, and a task is about to go on with it.
    pub trimmed: u64,
    pub is_trimming: bool,
    /// Members who do not share what they have read.
    pub unshared: BTreeSet<AccountId>,
    /// Members who share it again and have read nothing since.
    pub silent: BTreeSet<AccountId>,
    /// Of a group.
    pub gather: Option<Box<Gather>>,
    /// In a direct conversation: who blocks the other, and the last seq before that. `None`: not loaded.
    pub blocks: Option<Vec<(AccountId, u64)>>,
    pub waiting: Work,
    /// Entries in the drain task's hands, at most.
    pub under_way: usize,
    /// The drain task runs.
    pub committing: bool,
    /// Cursors or watermarks are to be written, and the lane is on the list for it.
    pub listed: bool,
}

/// What one account sees of a conversation.
#[derive(Clone, Debug)]
pub struct View {
    /// Its `seq` is the last one that the account may read.
    pub head: Head,
    pub roster: Arc<Roster>,
    /// The first seq that the account may read.
    pub since_seq: u64,
    /// The account blocks the other one.
    pub blocking: bool,
}

impl State {
    /// The last seq that this account may read.
    pub fn visible_seq(&self, account: AccountId) -> u64 {
        let until = self.roster.as_ref().and_then(|roster| roster.reach(account)?.until_seq);
        let blocked = self.block_of(account);
        [until, blocked].into_iter().flatten().fold(self.head.seq, u64::min)
    }

    pub fn block_of(&self, account: AccountId) -> Option<u64> {
        self.blocks.as_ref()?.iter().find(|(by, _)| *by == account).map(|(_, seq)| *seq)
    }

    /// The accounts that get what is appended now.
    pub fn readers(&self) -> Vec<AccountId> {
        let Some(roster) = &self.roster else { return Vec::new() };
        roster.accounts().filter(|account| self.block_of(*account).is_none()).collect()
    }

    /// A watermark as this account sees it.
    fn cut(&self, account: AccountId, mark: Watermark) -> Watermark {
        let visible = self.visible_seq(account);
        let mark = self.as_told(account, mark);
        Watermark { delivered: mark.delivered.min(visible), read: mark.read.min(visible), ..mark }
    }

    /// Whether this device may append now.
    fn check_author(&self, sender: Sender) -> Result<()> {
        let member = self.roster.as_ref().and_then(|roster| roster.member(sender.account));
        let Some(member) = member else { return Err(Error::not_found("conversation")) };
        if member.devices.binary_search(&sender.device).is_err() {
            return Err(Error::new(
                Code::Forbidden,
                "This device is not in the conversation; join by an external commit.",
            ));
        }
        if self.block_of(sender.account).is_some() {
            return Err(Error::new(Code::Blocked, "You have blocked this person; unblock first."));
        }
        Ok(())
    }

    /// Whether this entry of a group's member may be appended now. Commits were judged before they were queued; what can
    /// come between, since it leaves the epoch as it is, is a device that is logged out.
    pub fn check_group_entry(&self, entry: &NewEntry) -> Result<()> {
        let Some(roster) = &self.roster else { return Ok(()) };
        let silent = match &entry.body {
            Body::Message { silent, .. } => *silent,
            Body::Commit { change, .. } if !change.external && roster.leaves_gone(change) => {
                return Err(commit_first().at(self.head.epoch, self.head.seq));
            }
            Body::Gone { deleted: None, .. } if roster.gone.contains(&entry.sender) => {
                return Err(Error::new(Code::Conflict, "This log-out was told already."));
            }
            _ => return Ok(()),
        };
        if roster.member(entry.sender.account).is_none() {
            return Err(Error::not_found("conversation"));
        }
        if roster.waits_for_commit() {
            return Err(commit_first().at(self.head.epoch, self.head.seq));
        }
        if !silent && !roster.may_post(entry.sender.account) {
            return Err(Error::new(Code::Forbidden, "Only admins may post in this group."));
        }
        Ok(())
    }
}

/// Who left, or a device that was logged out, still has leaves.
pub fn commit_first() -> Error {
    Error::new(
        Code::CommitFirst,
        "Somebody left, or a device was logged out: a commit has to take out what is gone before anything else.",
    )
}

impl Lane {
    pub(super) fn new(log: LogId) -> Self {
        Self {
            log,
            used: AtomicBool::new(true),
            stale: AtomicBool::new(false),
            loaded: OnceCell::new(),
            state: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.loaded.initialized() && !self.stale.load(Ordering::Acquire)
    }

    pub(super) fn is_idle_and_empty(&self) -> bool {
        let state = self.lock();
        state.head.seq == 0 && !state.committing && !state.listed
    }

    pub(super) fn set_owner(&self, owner: AccountId) {
        self.lock().owner = Some(owner);
    }

    /// Where the log is. Of a conversation, [`Lane::view`] says what one account may know.
    pub fn head(&self) -> Head {
        self.lock().head
    }

    /// What this account sees; not found if it is not a member.
    pub fn view(&self, account: AccountId) -> Result<View> {
        self.reader(account).and_then(|view| match view.roster.member(account) {
            Some(_) => Ok(view),
            None => Err(Error::not_found("conversation")),
        })
    }

    /// What this account may read; not found if it neither is nor was a member.
    pub fn reader(&self, account: AccountId) -> Result<View> {
        let state = self.lock();
        let found = state.roster.as_ref().and_then(|roster| Some((roster, roster.reach(account)?.since_seq)));
        let Some((roster, since_seq)) = found else { return Err(Error::not_found("conversation")) };
        let head = Head { seq: state.visible_seq(account), ..state.head };
        Ok(View { head, roster: roster.clone(), since_seq, blocking: state.block_of(account).is_some() })
    }

    /// Head and roster, for those who decide who may do what; `None`: no conversation.
    pub fn roster(&self) -> Option<(Head, Arc<Roster>)> {
        let state = self.lock();
        Some((state.head, state.roster.clone()?))
    }

    /// Everybody's watermarks as this account sees them, and when the last of them moved.
    pub fn watermarks(&self, account: AccountId) -> (Vec<Watermark>, u64) {
        let state = self.lock();
        let moved_ms = state.marks.iter().map(|mark| mark.time_ms).max().unwrap_or(0);
        (state.marks.iter().map(|mark| state.cut(account, mark.watermark())).collect(), moved_ms)
    }

    /// What a plan says of watermarks, and when any of it moved: of a group one's own, and the lowest of the others.
    pub fn summary(&self, account: AccountId) -> (Vec<Watermark>, Option<Floor>, u64) {
        let mut state = self.lock();
        let Some((floor, floor_ms)) = state.floor(account) else {
            drop(state);
            let (watermarks, moved_ms) = self.watermarks(account);
            return (watermarks, None, moved_ms);
        };
        let own = state.marks.get_mut(account).map(|mark| mark.watermark());
        let moved_ms = own.map_or(0, |own| own.time_ms).max(floor_ms);
        (own.into_iter().map(|own| state.cut(account, own)).collect(), Some(floor), moved_ms)
    }

    /// The members' accounts that get signals of this member.
    pub fn listeners(&self, account: AccountId) -> Result<Vec<AccountId>> {
        let state = self.lock();
        if state.roster.as_ref().is_none_or(|roster| roster.member(account).is_none()) {
            return Err(Error::not_found("conversation"));
        }
        // Who blocks neither gets signals nor gives any.
        Ok(if state.block_of(account).is_some() { Vec::new() } else { state.readers() })
    }

    /// Whether this account blocks the other one.
    pub fn blocks(&self, account: AccountId) -> bool {
        self.lock().block_of(account).is_some()
    }

    /// From now on nothing more is taken from `by`, who gets nothing more of the direct conversation but what was taken
    /// already: among that may be words of `by`, and a device must not stand above what it may read.
    pub fn block(&self, by: AccountId) {
        let mut state = self.lock();
        let taken = if state.committing { state.under_way + state.waiting.len() } else { 0 };
        let seq = state.head.seq + taken as u64;
        let blocks = state.blocks.get_or_insert_default();
        if !blocks.iter().any(|(other, _)| *other == by) {
            blocks.push((by, seq));
        }
    }

    /// The last seq before the block, as soon as all that was taken before it stands in the log.
    pub fn block_seq(&self, by: AccountId) -> Option<u64> {
        let mut state = self.lock();
        let (head, committing) = (state.head.seq, state.committing);
        let block = state.blocks.iter_mut().flatten().find(|(other, _)| *other == by);
        // Taken back meanwhile.
        let Some((_, seq)) = block else { return Some(head) };
        if *seq > head && committing {
            return None;
        }
        *seq = head.min(*seq);
        Some(*seq)
    }

    pub fn unblock(&self, by: AccountId) {
        if let Some(blocks) = &mut self.lock().blocks {
            blocks.retain(|(other, _)| *other != by);
        }
    }

    /// Whether this device may append at all.
    pub fn takes_from(&self, sender: Sender) -> bool {
        self.lock().check_author(sender).is_ok()
    }

    /// Queues a message of a member's device; `reply` gets the answer. Appends of one device keep their order.
    pub fn append(self: &Arc<Self>, server: &Arc<Server>, entry: NewEntry, reply: Reply) -> Result<()> {
        let state = self.lock();
        state.check_author(entry.sender)?;
        state.check_group_entry(&entry)?;
        self.enqueue(state, server, entry, reply)
    }

    /// Queues an entry whose author was checked by the caller.
    pub fn append_checked(self: &Arc<Self>, server: &Arc<Server>, entry: NewEntry, reply: Reply) -> Result<()> {
        self.enqueue(self.lock(), server, entry, reply)
    }

    fn enqueue(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        server: &Arc<Server>,
        entry: NewEntry,
        reply: Reply,
    ) -> Result<()> {
        if state.waiting.len() >= WAITING_MAX {
            server.metrics.count_shed("append");
            return Err(Error::new(Code::Overloaded, "Too many messages wait for this conversation.")
                .retry_after_ms(WAITING_RETRY_MS));
        }
        state.waiting.push(entry, reply);
        server.metrics.appends_in_flight.inc();
        let idle = !std::mem::replace(&mut state.committing, true);
        drop(state);
        if idle {
            // A task of its own, so that a connection that ends does not leave the log without its committer.
            tokio::spawn(drain(server.clone(), self.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::entry::{Change, ConversationKind, Entry};
    use tidings_proto::id::{ConversationId, DeviceId, MessageId};

    fn device(account: u8, device: u8) -> Sender {
        Sender { account: AccountId::from_bytes([account; 16]), device: DeviceId::from_bytes([device; 16]) }
    }

    fn commit(change: Change) -> Body {
        Body::Commit { payload: Default::default(), change: Box::new(change) }
    }

    fn entry(seq: u64, sender: Sender, body: Body) -> Entry {
        let message_id = MessageId::new(seq, [0; 10]);
        let log = ConversationId::direct(device(1, 1).account, device(2, 2).account).into();
        Entry { log, seq, time_ms: 1, epoch: 0, message_id, sender, commit_seq: 0, ordinal: 0, expires_ms: 2, body }
    }

    /// It was judged before the log-out, and waits behind it.
    #[test]
    fn no_commit_that_waited_leaves_in_who_was_logged_out_meanwhile() {
        let (a, b, laptop) = (device(1, 1), device(2, 2), device(2, 3));
        let create = Change { create: Some(ConversationKind::Direct), added: vec![a, b, laptop], ..Change::default() };
        let created = Roster::apply(None, &entry(1, a, commit(create)));
        let before = State { roster: created.clone().map(Arc::new), ..State::default() };
        let gone = Roster::apply(created, &entry(2, laptop, Body::Gone { revoked: None, deleted: None }));
        let after = State { roster: gone.map(Arc::new), ..State::default() };
        let waits = |change| NewEntry {
            message_id: MessageId::new(3, [0; 10]),
            sender: a,
            epoch: 1,
            body: commit(change),
            expires_in_ms: None,
        };
        let leaves_it = waits(Change { added: vec![device(1, 4)], ..Change::default() });
        let removes_it = waits(Change { removed: vec![laptop], ..Change::default() });
        let external = waits(Change { added: vec![a], external: true, ..Change::default() });
        assert!(before.check_group_entry(&leaves_it).is_ok());
        assert_eq!(after.check_group_entry(&leaves_it).unwrap_err().code, Code::CommitFirst);
        assert!(after.check_group_entry(&removes_it).is_ok());
        assert!(after.check_group_entry(&external).is_ok(), "who comes in cannot know yet");
        let told = Body::Gone { revoked: None, deleted: None };
        let told = NewEntry { sender: laptop, body: told, ..waits(Change::default()) };
        assert!(before.check_group_entry(&told).is_ok());
        assert_eq!(after.check_group_entry(&told).unwrap_err().code, Code::Conflict, "two may ask for it at once");
    }
}
