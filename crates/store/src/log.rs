//! The log: a totally ordered, gapless sequence of entries, written once over the verbs of the store.
//!
//! **Where it lies.** The entries of a log are spread over buckets of a fixed number of seqs; a partition is a log id and
//! a bucket, so partitions stay bounded. A full bucket never changes again. Table `Bucket` holds two hints per log, from
//! which the last and the first bucket are found by probing forward.
//!
//! **The head** ([`Head`]) is what the next append rests on. It has a row of its own in each bucket, which the append
//! compares and replaces in the same commit: one of two rivals wins, and since that row never expires a seq is not used
//! twice, however short the life of the entries. Callers keep heads in memory; [`Log::head`] reads one.
//!
//! **An append** is one commit in one bucket: the head row is still what the caller knew, no entry was sent before, then
//! entries, sent rows and the new head. A message that was sent before is found by its sent row in this or the previous
//! bucket and answered with its old seq ([`AppendError::Repeat`]): retries of the last [`limit::BUCKET_SEQS`] messages,
//! at the least, are recognised. An entry must carry the epoch that holds at its place.
//!
//! **Reading** gives entries as they are stored. Expiry (and [`Log::forget`]) removes entries, never seqs: inside the range that a page covers
//! a missing seq is an entry that expired.

mod erase;
mod forget;
mod page;
mod row;
#[cfg(test)]
mod tests;

pub use page::LogPage;

use crate::batch::{Assert, Batch, MergeRow};
use crate::error::{CommitError, StoreError};
use crate::key::Key;
use crate::store::Store;
use crate::table::{Family, Table};
use bytes::Bytes;
use std::collections::HashSet;
use tidings_proto::codec::StoredEntry;
use tidings_proto::entry::{Body, Entry, Sender};
use tidings_proto::id::{DeviceId, LogId, MessageId};
use tidings_proto::limit;

/// `Entry::expires_ms` of an entry that is kept for ever: the largest integer that JSON readers take exactly.
pub const NEVER_MS: u64 = (1 << 53) - 1;
/// A sent row is kept this long at least, so that the retry of a message with a short life is still recognised.
pub const SENT_KEPT_MIN_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Entries of one commit: each takes two rows, and the head takes one.
const ENTRIES_PER_COMMIT_MAX: usize = (limit::BATCH_MAX_ROWS - 1) / 2;
const _: () = assert!(limit::VALUE_MAX_BYTES * 2 <= limit::BATCH_MAX_BYTES, "one entry always fits a batch");

/// What is known of a log after its last entry. The default is the head of an empty log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    /// The epoch that the next entry must carry.
    pub epoch: u64,
    /// Time of the last entry.
    pub time_ms: u64,
    /// Seq of the newest entry that changes the membership (a commit or a leave), 0 if there is none.
    pub commit_seq: u64,
    /// Entries so far that count as unread.
    pub ordinal: u64,
}

/// An entry to be appended; the log adds its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub message_id: MessageId,
    pub sender: Sender,
    pub epoch: u64,
    pub body: Body,
    /// `None`: kept for ever.
    pub expires_in_ms: Option<u64>,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub head: Head,
    /// The first entries of those that were given, at least one; the rest waits for the next call.
    pub entries: Vec<(Entry, StoredEntry)>,
}

/// Where an entry that was sent before stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub seq: u64,
    pub time_ms: u64,
}

/// Why an append wrote nothing (or, after `Store`, perhaps did). `index` counts the entries that were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended. Read the head, and append again.
    #[error("the head of the log moved")]
    HeadMoved,
    /// This entry was appended before. Answer with its place, and append the others.
    #[error("entry {index} was appended before")]
    Repeat { index: usize, seq: u64, time_ms: u64 },
    /// This entry is not of the epoch that holds at its place. Its sender has something to catch up with.
    #[error("entry {index} carries an epoch that does not hold")]
    StaleEpoch { index: usize },
    /// Nothing is known. Read the head before the next append.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All logs of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    store: Store,
    bucket_seqs: u64,
}

impl Log {
    pub fn new(store: Store) -> Self {
        Self::with_bucket_seqs(store, limit::BUCKET_SEQS)
    }

    /// For tests that want to see many buckets. A store must always be used with the same number.
    pub fn with_bucket_seqs(store: Store, bucket_seqs: u64) -> Self {
        assert!(bucket_seqs > 0, "a bucket has room");
        Self { store, bucket_seqs }
    }

    /// Reads the head: two small reads, more after a crash that lost a hint.
    pub async fn head(&self, log: LogId) -> Result<Head, StoreError> {
        let mut bucket = self.hint(log, row::HEAD_HINT).await?;
        let mut head = Head::default();
        loop {
            let key = Key::new(Table::Head, row::partition(log, bucket), []);
            match self.store.get(&key).await? {
                Some(value) => head = row::decode_head(&value)?,
                None if bucket == 0 || head.seq > 0 => return Ok(head),
                None => return Err(StoreError::Damaged(format!("log {log} does not reach its bucket {bucket}"))),
            }
            if head.seq < (bucket + 1) * self.bucket_seqs {
                return Ok(head);
            }
            bucket += 1;
        }
    }

    /// Appends the first of `entries`, as many as one commit takes. Durable when it returns.
    pub async fn append(
        &self,
        log: LogId,
        head: &Head,
        entries: &[NewEntry],
        now_ms: u64,
    ) -> Result<Appended, AppendError> {
        assert!(!entries.is_empty(), "an append has entries");
        let bucket = self.next_bucket(head);
        let appended = match self.place(log, head, entries, now_ms) {
            Ok(appended) => appended,
            Err(Misplaced { index }) => return Err(self.explain_epoch(log, head, entries, index).await),
        };
        let taken = &entries[..appended.entries.len()];
        if let Some(repeat) = self.find_in_previous_bucket(log, bucket, taken).await? {
            return Err(repeat);
        }
        match self.store.commit(self.batch(log, head, &appended, now_ms)).await {
            Ok(()) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
            Err(CommitError::Conflict(0)) => return Err(AppendError::HeadMoved),
            Err(CommitError::Conflict(assert)) => {
                let index = assert - 1;
                let sent = self.sent_in(log, bucket, taken[index].message_id, taken[index].sender.device).await?;
                // Gone since the conflict: it has expired meanwhile, and the next attempt will succeed.
                let Some(Sent { seq, time_ms }) = sent else { return Err(AppendError::HeadMoved) };
                return Err(AppendError::Repeat { index, seq, time_ms });
            }
        }
        if bucket > 0 && self.opens_bucket(head) {
            self.move_hint(log, row::HEAD_HINT, bucket).await;
        }
        Ok(appended)
    }

    /// Where this message stands, if it was appended in the current or the previous bucket.
    pub async fn sent(
        &self,
        log: LogId,
        head: &Head,
        message_id: MessageId,
        device: DeviceId,
    ) -> Result<Option<Sent>, StoreError> {
        let bucket = self.next_bucket(head);
        let sent = self.sent_in(log, bucket, message_id, device).await?;
        match bucket.checked_sub(1) {
            Some(previous) if sent.is_none() => self.sent_in(log, previous, message_id, device).await,
            _ => Ok(sent),
        }
    }

    /// The entry with this seq, unless it expired or never was.
    pub async fn entry(&self, log: LogId, seq: u64) -> Result<Option<StoredEntry>, StoreError> {
        if seq == 0 {
            return Ok(None);
        }
        let key = Key::new(Table::Entry, row::partition(log, self.bucket_of(seq)), seq.to_be_bytes());
        Ok(self.store.get(&key).await?.map(StoredEntry::from_bytes))
    }

    /// Gives entries their places after the head, as far as the bucket and one batch have room.
    fn place(&self, log: LogId, head: &Head, entries: &[NewEntry], now_ms: u64) -> Result<Appended, Misplaced> {
        let room = (self.bucket_seqs - head.seq % self.bucket_seqs).min(ENTRIES_PER_COMMIT_MAX as u64) as usize;
        let time_ms = now_ms.max(head.time_ms);
        let mut appended =
            Appended { head: Head { time_ms, ..*head }, entries: Vec::with_capacity(entries.len().min(room)) };
        let mut seen = HashSet::new();
        let mut bytes = 0;
        for (index, new) in entries.iter().take(room).enumerate() {
            // The second of two equal messages waits for the next call, which finds the first.
            if entries.len() > 1 && !seen.insert((new.message_id, new.sender.device)) {
                break;
            }
            if new.epoch != appended.head.epoch {
                return Err(Misplaced { index });
            }
            let (entry, head) = follow(log, &appended.head, new);
            let stored = StoredEntry::encode(&entry);
            bytes += stored.as_bytes().len();
            if bytes > limit::VALUE_MAX_BYTES && index > 0 {
                break;
            }
            appended.head = head;
            appended.entries.push((entry, stored));
        }
        Ok(appended)
    }

    /// Assert 0 is the head's; assert `1 + index` is that of the entry.
    fn batch(&self, log: LogId, head: &Head, appended: &Appended, now_ms: u64) -> Batch {
        let bucket = self.next_bucket(head);
        let known = if self.opens_bucket(head) { Assert::Absent } else { Assert::Equals(row::encode_head(head)) };
        let mut batch = Batch::new(Family::Log, row::partition(log, bucket)).assert(Table::Head, [], known);
        for (entry, stored) in &appended.entries {
            let sent = row::sent(entry.message_id, entry.sender.device);
            let place = row::encode_sent(&Sent { seq: entry.seq, time_ms: entry.time_ms });
            let (seq, value) = (entry.seq.to_be_bytes(), stored.as_bytes().clone());
            batch = batch.assert(Table::Sent, sent, Assert::Absent);
            batch = if entry.expires_ms == NEVER_MS {
                batch.put(Table::Sent, sent, place).put(Table::Entry, seq, value)
            } else {
                let sent_expires_ms = entry.expires_ms.max(now_ms.saturating_add(SENT_KEPT_MIN_MS));
                batch.put_until(Table::Sent, sent, place, sent_expires_ms).put_until(
                    Table::Entry,
                    seq,
                    value,
                    entry.expires_ms,
                )
            };
        }
        batch.put(Table::Head, [], row::encode_head(&appended.head))
    }

    /// An epoch did not fit: whether the entry is an old one, the caller's head is, or the sender is behind.
    async fn explain_epoch(&self, log: LogId, head: &Head, entries: &[NewEntry], index: usize) -> AppendError {
        let explain = async {
            let current = self.head(log).await?;
            let new = &entries[index];
            Ok(match self.sent(log, &current, new.message_id, new.sender.device).await? {
                Some(Sent { seq, time_ms }) => AppendError::Repeat { index, seq, time_ms },
                None if current != *head => AppendError::HeadMoved,
                None => AppendError::StaleEpoch { index },
            })
        };
        explain.await.unwrap_or_else(AppendError::Store)
    }

    /// The commit cannot assert rows of another partition; but the previous bucket is full and does not change.
    async fn find_in_previous_bucket(
        &self,
        log: LogId,
        bucket: u64,
        entries: &[NewEntry],
    ) -> Result<Option<AppendError>, StoreError> {
        let Some(previous) = bucket.checked_sub(1) else { return Ok(None) };
        let partition = row::partition(log, previous);
        let keys: Vec<Key> = entries
            .iter()
            .map(|new| Key::new(Table::Sent, partition, row::sent(new.message_id, new.sender.device)))
            .collect();
        for (index, value) in self.store.get_many(&keys).await?.into_iter().enumerate() {
            if let Some(value) = value {
                let Sent { seq, time_ms } = row::decode_sent(&value)?;
                return Ok(Some(AppendError::Repeat { index, seq, time_ms }));
            }
        }
        Ok(None)
    }

    async fn sent_in(
        &self,
        log: LogId,
        bucket: u64,
        message_id: MessageId,
        device: DeviceId,
    ) -> Result<Option<Sent>, StoreError> {
        let key = Key::new(Table::Sent, row::partition(log, bucket), row::sent(message_id, device));
        self.store.get(&key).await?.map(|value| row::decode_sent(&value)).transpose()
    }

    async fn hint(&self, log: LogId, row: &[u8]) -> Result<u64, StoreError> {
        let value = self.store.get(&Key::new(Table::Bucket, log.as_bytes(), row)).await?;
        value.map_or(Ok(0), |value| row::decode_u64(&value))
    }

    async fn move_hint(&self, log: LogId, row: &[u8], bucket: u64) {
        let value = Bytes::copy_from_slice(&bucket.to_be_bytes());
        let hint = MergeRow::new(Table::Bucket, log.as_bytes(), row, bucket, value);
        // Without it the next reader probes a bucket more.
        if let Err(error) = self.store.merge(vec![hint]).await {
            tracing::debug!(%error, "a hint was not kept");
        }
    }

    fn bucket_of(&self, seq: u64) -> u64 {
        (seq - 1) / self.bucket_seqs
    }

    /// Where the entry after the head belongs.
    fn next_bucket(&self, head: &Head) -> u64 {
        head.seq / self.bucket_seqs
    }

    /// Whether the entry after the head is the first of its bucket.
    fn opens_bucket(&self, head: &Head) -> bool {
        head.seq.is_multiple_of(self.bucket_seqs)
    }
}

/// The entry at this index does not carry the epoch of its place.
struct Misplaced {
    index: usize,
}

/// The entry that stands after `head`, and the head after it.
fn follow(log: LogId, head: &Head, new: &NewEntry) -> (Entry, Head) {
    let mut entry = Entry {
        log,
        seq: head.seq + 1,
        time_ms: head.time_ms,
        epoch: new.epoch,
        message_id: new.message_id,
        sender: new.sender,
        commit_seq: head.commit_seq,
        ordinal: head.ordinal,
        expires_ms: new.expires_in_ms.map_or(NEVER_MS, |ms| head.time_ms.saturating_add(ms).min(NEVER_MS)),
        body: new.body.clone(),
    };
    entry.ordinal += u64::from(entry.counts());
    if matches!(entry.body, Body::Commit { .. } | Body::Leave { .. } | Body::Gone { .. }) {
        entry.commit_seq = entry.seq;
    }
    let head = Head {
        seq: entry.seq,
        epoch: entry.epoch_after(),
        time_ms: entry.time_ms,
        commit_seq: entry.commit_seq,
        ordinal: entry.ordinal,
    };
    (entry, head)
}
