//! Who is in a conversation: a projection of the commits in its log.
//!
//! Stored after each commit (`Table::Roster`), and brought up to date from the log when it is behind: every entry names
//! the newest commit at or before it, so the commits that are missing are found by walking back.

use serde::{Deserialize, Serialize};
use tidings_proto::codec;
use tidings_proto::entry::{Body, ConversationKind, Entry, Sender};
use tidings_proto::id::{AccountId, DeviceId, LogId, MessageId};
use tidings_store::batch::Batch;
use tidings_store::log::{Head, Log};
use tidings_store::table::Family;
use tidings_store::{Key, Store, StoreError, Table};

use bytes::{BufMut, Bytes, BytesMut};

/// Version of the stored form.
const VERSION: u8 = 1;

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
        let mut roster = row.map(|row| Self::decode(&row)).transpose()?;
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
        let batch = Batch::new(Family::Conversation, id.as_bytes()).put(Table::Roster, [], self.encode());
        if let Err(error) = store.commit(batch).await {
            tracing::debug!(%error, "a roster was not kept; the next load rebuilds it");
        }
    }

    fn encode(&self) -> Bytes {
        let cbor = codec::to_cbor(self);
        let mut out = BytesMut::with_capacity(1 + cbor.len());
        out.put_u8(VERSION);
        out.extend_from_slice(&cbor);
        out.freeze()
    }

    fn decode(row: &[u8]) -> Result<Self, StoreError> {
        match row.split_first() {
            Some((&VERSION, cbor)) => codec::from_cbor(cbor).map_err(|error| damaged(error.to_string())),
            _ => Err(damaged("roster of unknown version".into())),
        }
    }
}

fn damaged(what: String) -> StoreError {
    StoreError::Damaged(what)
}
