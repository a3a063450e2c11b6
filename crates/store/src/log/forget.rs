//! Removing entries before they expire.

use super::{Log, NEVER_MS, row};
use crate::batch::Batch;
use crate::error::{CommitError, StoreError};
use crate::key::{Row, Scan};
use crate::table::{Family, Table};
use tidings_proto::codec::StoredEntry;
use tidings_proto::id::LogId;

/// Rows of one step.
const ROWS_PER_STEP: u32 = 128;

impl Log {
    /// Removes the entries with `after < seq <= until` that would expire some day; those that are kept for ever stay, for
    /// the log is followed along them. Returns how many went.
    pub async fn forget(&self, log: LogId, after: u64, until: u64) -> Result<u64, StoreError> {
        let mut next = after + 1;
        let mut gone = 0;
        while next <= until {
            let end = (self.bucket_of(next) + 1).saturating_mul(self.bucket_seqs).min(until);
            let partition = row::partition(log, self.bucket_of(next));
            let scan = Scan::all(Table::Entry, partition, ROWS_PER_STEP);
            let rows = self.store.scan(&scan.from(next.to_be_bytes()).until((end + 1).to_be_bytes())).await?;
            let mut batch = Batch::new(Family::Log, partition);
            for found in &rows {
                if expires(found)? {
                    batch = batch.delete(Table::Entry, &found.row);
                    gone += 1;
                }
            }
            if !batch.is_empty() {
                self.store.commit(batch).await.map_err(|error| match error {
                    CommitError::Store(error) => error,
                    CommitError::Conflict(_) => StoreError::Damaged("a batch without asserts has a conflict".into()),
                })?;
            }
            next = match rows.last() {
                Some(last) if rows.len() == ROWS_PER_STEP as usize => row::decode_u64(&last.row)? + 1,
                _ => end + 1,
            };
        }
        Ok(gone)
    }
}

fn expires(found: &Row) -> Result<bool, StoreError> {
    let entry = StoredEntry::from_bytes(found.value.clone()).decode();
    Ok(entry.map_err(|error| StoreError::Damaged(error.to_string()))?.expires_ms != NEVER_MS)
}

#[cfg(test)]
mod tests {
    use super::super::NewEntry;
    use super::*;
    use crate::clock::ManualClock;
    use crate::store::Store;
    use tidings_proto::entry::{Body, Sender};
    use tidings_proto::id::{AccountId, DeviceId, MessageId};

    #[tokio::test]
    async fn messages_go_and_what_is_kept_for_ever_stays() {
        let log = Log::with_bucket_seqs(Store::memory(ManualClock::new(1_000).clock()), 300);
        let id = LogId::from_bytes([1; 16]);
        let sender = Sender { account: AccountId::from_bytes([2; 16]), device: DeviceId::from_bytes([3; 16]) };
        let mut head = super::super::Head::default();
        for number in 0..700_u64 {
            let is_commit = number % 100 == 0;
            let body = if is_commit {
                Body::Commit { payload: Default::default(), change: Box::default() }
            } else {
                Body::Message { payload: Default::default(), silent: false }
            };
            let mut random = [0; 10];
            random[..8].copy_from_slice(&number.to_be_bytes());
            let message_id = MessageId::new(1_000, random);
            let expires_in_ms = (!is_commit).then_some(100_000);
            let new = NewEntry { message_id, sender, epoch: head.epoch, body, expires_in_ms };
            head = log.append(id, &head, &[new], 1_000).await.unwrap().head;
        }
        assert_eq!(log.forget(id, 0, 650).await.unwrap(), 650 - 7);
        assert_eq!(log.forget(id, 0, 650).await.unwrap(), 0);
        let page = log.page(id, &head, 0, 1_000, usize::MAX).await.unwrap();
        let seqs: Vec<u64> = page.entries.iter().map(|entry| entry.decode().unwrap().seq).collect();
        let expected: Vec<u64> = (0..7).map(|n| n * 100 + 1).chain(651..=700).collect();
        assert_eq!(seqs, expected);
    }
}
