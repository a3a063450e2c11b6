//! Who is in a conversation: a projection of the commits and leaves in its log.
//!
//! Stored after each of them (`Table::Roster`), and brought up to date from the log when it is behind: every entry names
//! the newest one at or before it, so those that are missing are found by walking back.
//!
//! A device that was logged out is `gone` until a commit has taken its leaf out. In a group, somebody who left is no member any more, and `departed` until a commit has taken their leaves out. Whoever
//! was a member may read up to the entry that ended it (`former`), so that all of its devices learn of it.

use crate::stored;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidings_proto::entry::{Body, Change, ConversationKind, Entry, Sender};
use tidings_proto::group::{GroupRules, Who};
use tidings_proto::id::{AccountId, DeviceId, LogId, MessageId};
use tidings_store::batch::Batch;
use tidings_store::log::{Head, Log};
use tidings_store::table::Family;
use tidings_store::{Key, Store, StoreError, Table};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    pub kind: ConversationKind,
    /// Sorted by account.
    pub members: Vec<Member>,
    /// Seq and id of the newest commit that is in here.
    pub commit_seq: u64,
    pub commit_id: MessageId,
    /// Of the newest leave.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub leave_seq: u64,
    /// Of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<GroupRules>,
    /// Who left and still has leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departed: Vec<Member>,
    /// Devices of members that were logged out and still have a leaf.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Sender>,
    /// Of the newest log-out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gone_seq: u64,
    /// Who was a member, the newest last; at most `FORMER_MAX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Former>,
}

/// Beyond this the devices of who is gone longest are told that there is no such conversation.
const FORMER_MAX: usize = 1_024;

/// Somebody who was a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    pub account: AccountId,
    pub since_seq: u64,
    /// The last entry that the account may read: the one that ended its membership.
    pub until_seq: u64,
}

/// What an account may read of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub since_seq: u64,
    /// `None`: a member, who reads on.
    pub until_seq: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub account: AccountId,
    /// The devices with a leaf, sorted. A member of a direct conversation may have none.
    pub devices: Vec<DeviceId>,
    /// The first entry that the account may read.
    pub since_seq: u64,
}

impl Roster {
    pub fn member(&self, account: AccountId) -> Option<&Member> {
        let at = self.members.binary_search_by_key(&account, |member| member.account).ok()?;
        Some(&self.members[at])
    }

    /// Whether this device has a leaf.
    pub fn has(&self, sender: Sender) -> bool {
        self.member(sender.account).is_some_and(|member| member.devices.binary_search(&sender.device).is_ok())
    }

    /// What an account may read; `None` if it is not and was not a member.
    pub fn reach(&self, account: AccountId) -> Option<Reach> {
        if let Some(member) = self.member(account) {
            return Some(Reach { since_seq: member.since_seq, until_seq: None });
        }
        let former = self.former.iter().find(|former| former.account == account)?;
        Some(Reach { since_seq: former.since_seq, until_seq: Some(former.until_seq) })
    }

    /// Whether there are leaves of who has left, or of a device that was logged out.
    pub fn waits_for_commit(&self) -> bool {
        !self.departed.is_empty() || !self.gone.is_empty()
    }

    /// Whether this change leaves a device in that was logged out.
    pub fn leaves_gone(&self, change: &Change) -> bool {
        self.gone.iter().any(|gone| !change.removed.contains(gone))
    }

    pub fn has_departed(&self, account: AccountId) -> bool {
        self.departed.iter().any(|member| member.account == account)
    }

    /// Whether this account may send messages that count.
    pub fn may_post(&self, account: AccountId) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.posting == Who::Members || rules.is_admin(account))
    }

    /// How many people there are after a change.
    pub fn people_after(&self, change: &Change) -> usize {
        let removed: BTreeSet<&Sender> = change.removed.iter().collect();
        let rules = change.rules.as_ref().or(self.rules.as_ref());
        let stays = |member: &&Member| {
            let gone = |device: &DeviceId| removed.contains(&Sender { account: member.account, device: *device });
            !member.devices.iter().all(gone) || rules.is_some_and(|rules| rules.away.contains(&member.account))
        };
        let mut people: BTreeSet<AccountId> = self.members.iter().filter(stays).map(|member| member.account).collect();
        people.extend(change.added.iter().map(|device| device.account));
        people.len()
    }

    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.members.iter().map(|member| member.account)
    }

    /// In a direct conversation with `account`: the other one.
    pub fn peer(&self, account: AccountId) -> Option<AccountId> {
        match (self.kind, &self.members[..]) {
            (ConversationKind::Direct, [a, b]) if a.account == account => Some(b.account),
            (ConversationKind::Direct, [a, b]) if b.account == account => Some(a.account),
            _ => None,
        }
    }

    /// Takes a commit or a leave in. `None` as roster: the log's first entry. Other entries change nothing.
    pub fn apply(roster: Option<Self>, entry: &Entry) -> Option<Self> {
        match (&entry.body, roster) {
            (Body::Commit { change, .. }, Some(mut roster)) => {
                roster.commit(change, entry);
                Some(roster)
            }
            (Body::Commit { change, .. }, None) => {
                let mut roster = Self::new(change.create?);
                roster.commit(change, entry);
                Some(roster)
            }
            (Body::Leave { .. }, Some(mut roster)) => {
                roster.leave(entry);
                Some(roster)
            }
            (Body::Gone { .. }, Some(mut roster)) => {
                roster.log_out(entry);
                Some(roster)
            }
            (_, roster) => roster,
        }
    }

    fn new(kind: ConversationKind) -> Self {
        Self {
            kind,
            members: Vec::new(),
            commit_seq: 0,
            commit_id: MessageId::from_bytes([0; 16]),
            leave_seq: 0,
            rules: None,
            departed: Vec::new(),
            gone: Vec::new(),
            gone_seq: 0,
            former: Vec::new(),
        }
    }

    fn commit(&mut self, change: &Change, entry: &Entry) {
        if self.kind == ConversationKind::Group
            && let Some(rules) = &change.rules
        {
            self.rules = Some(rules.clone());
        }
        for gone in &change.removed {
            self.remove(*gone);
        }
        for new in &change.added {
            self.add(*new, entry);
        }
        self.end_memberships(entry.seq);
        (self.commit_seq, self.commit_id) = (entry.seq, entry.message_id);
    }

    fn leave(&mut self, entry: &Entry) {
        if let Ok(at) = self.place(entry.sender.account) {
            let member = self.members.remove(at);
            self.note_former(&member, entry.seq);
            self.gone.retain(|gone| gone.account != member.account);
            // Who has no leaf leaves nothing behind.
            if !member.devices.is_empty() {
                self.departed.push(member);
            }
        }
        self.leave_seq = entry.seq;
    }

    fn log_out(&mut self, entry: &Entry) {
        if self.has(entry.sender) && !self.gone.contains(&entry.sender) {
            self.gone.push(entry.sender);
        }
        self.gone_seq = entry.seq;
    }

    /// Seq of the newest entry that is in here.
    pub fn changed_seq(&self) -> u64 {
        self.commit_seq.max(self.leave_seq).max(self.gone_seq)
    }

    fn place(&self, account: AccountId) -> Result<usize, usize> {
        self.members.binary_search_by_key(&account, |member| member.account)
    }

    fn add(&mut self, new: Sender, entry: &Entry) {
        // Who is added to a group does not load the commit that adds it.
        let since_seq = match self.kind {
            ConversationKind::Group if entry.seq > 1 || entry.sender.account != new.account => entry.seq + 1,
            _ => entry.seq,
        };
        let at = self.place(new.account).unwrap_or_else(|at| {
            self.members.insert(at, Member { account: new.account, devices: Vec::new(), since_seq });
            self.former.retain(|former| former.account != new.account);
            at
        });
        let devices = &mut self.members[at].devices;
        if let Err(place) = devices.binary_search(&new.device) {
            devices.insert(place, new.device);
        }
    }

    fn remove(&mut self, gone: Sender) {
        self.gone.retain(|other| *other != gone);
        if let Ok(at) = self.place(gone.account) {
            self.members[at].devices.retain(|device| *device != gone.device);
            return;
        }
        for departed in self.departed.iter_mut().filter(|departed| departed.account == gone.account) {
            departed.devices.retain(|device| *device != gone.device);
        }
        self.departed.retain(|departed| !departed.devices.is_empty());
    }

    /// Whoever has no leaf and is not away is no member of a group any more. The people of a direct conversation and of a
    /// self chat stay, and can come back with a new device.
    fn end_memberships(&mut self, seq: u64) {
        if self.kind != ConversationKind::Group {
            return;
        }
        let members = std::mem::take(&mut self.members);
        let is_away = |account: &AccountId| self.rules.as_ref().is_some_and(|rules| rules.away.contains(account));
        let (stay, go): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| !member.devices.is_empty() || is_away(&member.account));
        self.members = stay;
        for member in go {
            self.note_former(&member, seq);
        }
    }

    fn note_former(&mut self, member: &Member, until_seq: u64) {
        self.former.push(Former { account: member.account, since_seq: member.since_seq, until_seq });
        let over = self.former.len().saturating_sub(FORMER_MAX);
        self.former.drain(..over);
    }

    /// The roster as of `head`; `None` if this is no conversation.
    pub async fn load(store: &Store, log: &Log, id: LogId, head: &Head) -> Result<Option<Self>, StoreError> {
        let row = store.get(&Key::new(Table::Roster, id.as_bytes(), [])).await?;
        let row = row.map(|row| stored::decode::<Self>(Table::Roster, row)).transpose()?;
        let mut roster = row.map(|row| row.value);
        let mut missing = Vec::new();
        let mut seq = head.commit_seq;
        while seq > roster.as_ref().map_or(0, Self::changed_seq) {
            let entry =
                log.entry(id, seq).await?.ok_or_else(|| damaged(format!("commit {seq} of log {id} is gone")))?;
            missing.push(entry.decode().map_err(|error| damaged(error.to_string()))?);
            // The one before this one is named by the newest entry before it that is kept; they always are.
            seq = match log.page_before(id, head, seq, 1, usize::MAX).await?.entries.pop() {
                Some(before) => before.decode().map_err(|error| damaged(error.to_string()))?.commit_seq,
                None => 0,
            };
        }
        for entry in missing.iter().rev() {
            roster = Self::apply(roster, entry);
        }
        Ok(roster)
    }

    /// Keeps it for the next load. Whoever loses a race here leaves a roster that is behind, which is harmless.
    pub async fn save(&self, store: &Store, id: LogId) {
        let batch = Batch::new(Family::Conversation, id.as_bytes()).put(Table::Roster, [], stored::encode(self));
        if let Err(error) = store.commit(batch).await {
            tracing::debug!(%error, "a roster was not kept; the next load rebuilds it");
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn damaged(what: String) -> StoreError {
    StoreError::Damaged(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::entry::Change;
    use tidings_store::Clock;
    use tidings_store::log::NewEntry;

    fn device(account: u8, device: u8) -> Sender {
        Sender { account: AccountId::from_bytes([account; 16]), device: DeviceId::from_bytes([device; 16]) }
    }

    fn message_id(number: u8) -> MessageId {
        MessageId::new(1, [number; 10])
    }

    fn change(create: Option<ConversationKind>, added: &[Sender], removed: &[Sender]) -> Body {
        let change = Change { create, added: added.to_vec(), removed: removed.to_vec(), ..Change::default() };
        Body::Commit { payload: Default::default(), change: Box::new(change) }
    }

    async fn filled(log: &Log, id: LogId, bodies: Vec<Body>) -> Head {
        let mut head = Head::default();
        for (number, body) in bodies.into_iter().enumerate() {
            let sender = device(1, 1);
            // Messages live for a moment only, commits for ever.
            let expires_in_ms = matches!(body, Body::Message { .. }).then_some(0);
            let new = NewEntry { message_id: message_id(number as u8), sender, epoch: head.epoch, body, expires_in_ms };
            head = log.append(id, &head, &[new], 1_000).await.unwrap().head;
        }
        head
    }

    #[tokio::test]
    async fn a_roster_follows_the_commits_also_from_behind_and_over_expired_entries() {
        let store = Store::memory(Clock::new(|| 2_000));
        let log = Log::new(store.clone());
        let id = LogId::from_bytes([9; 16]);
        let message = || Body::Message { payload: Default::default(), silent: false };
        let create = change(Some(ConversationKind::Direct), &[device(2, 1), device(1, 1)], &[]);
        let bodies = vec![
            create,
            message(),
            message(),
            change(None, &[device(2, 2)], &[device(2, 1)]),
            message(),
            change(None, &[], &[device(2, 2)]),
            message(),
        ];
        let head = filled(&log, id, bodies.clone()).await;
        assert!(log.entry(id, 5).await.unwrap().is_none());
        let roster = Roster::load(&store, &log, id, &head).await.unwrap().unwrap();
        assert_eq!((roster.commit_seq, roster.commit_id), (6, message_id(5)));
        assert!(roster.has(device(1, 1)) && !roster.has(device(2, 1)) && !roster.has(device(2, 2)));
        // Both people stay, whatever their devices do.
        assert_eq!(roster.peer(device(1, 1).account), Some(device(2, 2).account));
        assert_eq!(roster.peer(device(3, 3).account), None);

        // Kept as of its first commit, it is brought up from there.
        let first = log.entry(id, 1).await.unwrap().unwrap().decode().unwrap();
        Roster::apply(None, &first).unwrap().save(&store, id).await;
        assert_eq!(Roster::load(&store, &log, id, &head).await.unwrap(), Some(roster.clone()));
        roster.save(&store, id).await;
        assert_eq!(Roster::load(&store, &log, id, &head).await.unwrap(), Some(roster));
    }

    #[tokio::test]
    async fn a_log_without_a_creation_is_no_conversation() {
        let store = Store::memory(Clock::new(|| 2_000));
        let log = Log::new(store.clone());
        let id = LogId::from_bytes([9; 16]);
        assert_eq!(Roster::load(&store, &log, id, &Head::default()).await.unwrap(), None);
        let head = filled(&log, id, vec![Body::Message { payload: Default::default(), silent: false }]).await;
        assert_eq!(Roster::load(&store, &log, id, &head).await.unwrap(), None);
    }

    #[test]
    fn the_stored_form_of_a_roster_does_not_change() {
        let member = |number: u8| Member {
            account: AccountId::from_bytes([number; 16]),
            devices: vec![DeviceId::from_bytes([number + 16; 16])],
            since_seq: 1,
        };
        let members = vec![member(1), member(2)];
        let roster =
            Roster { members, commit_seq: 7, commit_id: message_id(3), ..Roster::new(ConversationKind::Direct) };
        let hex: String = stored::encode(&roster).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("roster_stored", hex);
    }
}
