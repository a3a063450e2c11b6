//! Who is in a conversation: a projection of the commits in its log.
//!
//! Stored after each commit (`Table::Roster`), and brought up to date from the log when it is behind: every entry names
//! the newest commit at or before it, so the commits that are missing are found by walking back.

use crate::stored;
use serde::{Deserialize, Serialize};
use tidings_proto::entry::{Body, ConversationKind, Entry, Sender};
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

    /// Takes a commit in. `None` as roster: the log's first entry. Entries that are no commit change nothing.
    pub fn apply(roster: Option<Self>, entry: &Entry) -> Option<Self> {
        let Body::Commit { change, .. } = &entry.body else { return roster };
        let mut roster = match (roster, change.create) {
            (Some(roster), _) => roster,
            (None, Some(kind)) => {
                Self { kind, members: Vec::new(), commit_seq: 0, commit_id: MessageId::from_bytes([0; 16]) }
            }
            (None, None) => return None,
        };
        for gone in &change.removed {
            roster.remove(*gone);
        }
        for new in &change.added {
            roster.add(*new, entry.seq);
        }
        (roster.commit_seq, roster.commit_id) = (entry.seq, entry.message_id);
        Some(roster)
    }

    fn add(&mut self, new: Sender, seq: u64) {
        let at = self.members.binary_search_by_key(&new.account, |member| member.account).unwrap_or_else(|at| {
            self.members.insert(at, Member { account: new.account, devices: Vec::new(), since_seq: seq });
            at
        });
        let devices = &mut self.members[at].devices;
        if let Err(place) = devices.binary_search(&new.device) {
            devices.insert(place, new.device);
        }
    }

    fn remove(&mut self, gone: Sender) {
        let Ok(at) = self.members.binary_search_by_key(&gone.account, |member| member.account) else { return };
        self.members[at].devices.retain(|device| *device != gone.device);
        // The two people of a direct conversation stay its members, and can come back with a new device.
        if self.members[at].devices.is_empty() && self.kind != ConversationKind::Direct {
            self.members.remove(at);
        }
    }

    /// The roster as of `head`; `None` if this is no conversation.
    pub async fn load(store: &Store, log: &Log, id: LogId, head: &Head) -> Result<Option<Self>, StoreError> {
        let row = store.get(&Key::new(Table::Roster, id.as_bytes(), [])).await?;
        let row = row.map(|row| stored::decode::<Self>(Table::Roster, row)).transpose()?;
        let mut roster = row.map(|row| row.value);
        let mut missing = Vec::new();
        let mut seq = head.commit_seq;
        while seq > roster.as_ref().map_or(0, |roster| roster.commit_seq) {
            let entry =
                log.entry(id, seq).await?.ok_or_else(|| damaged(format!("commit {seq} of log {id} is gone")))?;
            missing.push(entry.decode().map_err(|error| damaged(error.to_string()))?);
            // The commit before this one is named by the newest entry before it that is kept; commits always are.
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
        Body::Commit { payload: Default::default(), change }
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
        let roster = Roster { kind: ConversationKind::Direct, members, commit_seq: 7, commit_id: message_id(3) };
        let hex: String = stored::encode(&roster).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("roster_stored", hex);
    }
}
