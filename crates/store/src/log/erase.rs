//! Removing a log for good: for names that are never used again.

use super::{Log, row};
use crate::batch::Batch;
use crate::error::{CommitError, StoreError};
use crate::key::Scan;
use crate::table::{Family, Table};
use tidings_proto::codec::StoredEntry;
use tidings_proto::id::LogId;

/// Entries of one step; each has a second row.
const ROWS_PER_STEP: u32 = 100;

impl Log {
    /// Removes every row of a log, also those that are kept for ever. May be cut short and done again.
    pub async fn erase(&self, log: LogId) -> Result<(), StoreError> {
        let head = self.head(log).await?;
        // The newest bucket last: as long as its head is there, the next try finds all of them.
        for bucket in 0..=self.next_bucket(&head) {
            self.erase_bucket(log, bucket).await?;
        }
        let hints = Batch::new(Family::Bucket, log.as_bytes());
        let hints = hints.delete(Table::Bucket, row::HEAD_HINT).delete(Table::Bucket, row::OLDEST_HINT);
        self.carry_out(hints).await
    }

    async fn erase_bucket(&self, log: LogId, bucket: u64) -> Result<(), StoreError> {
        let partition = row::partition(log, bucket);
        loop {
            let rows = self.store.scan(&Scan::all(Table::Entry, partition, ROWS_PER_STEP)).await?;
            let mut batch = Batch::new(Family::Log, partition);
            for found in &rows {
                batch = batch.delete(Table::Entry, &found.row);
                if let Ok(entry) = StoredEntry::from_bytes(found.value.clone()).decode() {
                    batch = batch.delete(Table::Sent, row::sent(entry.message_id, entry.sender.device));
                }
            }
            if rows.is_empty() {
                return self.carry_out(batch.delete(Table::Head, [])).await;
            }
            self.carry_out(batch).await?;
        }
    }

    async fn carry_out(&self, batch: Batch) -> Result<(), StoreError> {
        self.store.commit(batch).await.map_err(|error| match error {
            CommitError::Store(error) => error,
            CommitError::Conflict(_) => StoreError::Damaged("a batch without asserts has a conflict".into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Head, NewEntry};
    use super::*;
    use crate::clock::ManualClock;
    use crate::key::Key;
    use crate::store::Store;
    use tidings_proto::entry::{Body, Sender};
    use tidings_proto::id::{AccountId, DeviceId, MessageId};

    #[tokio::test]
    async fn nothing_of_an_erased_log_is_left_and_others_are_whole() {
        let store = Store::memory(ManualClock::new(1_000).clock());
        let log = Log::with_bucket_seqs(store.clone(), 100);
        let sender = Sender { account: AccountId::from_bytes([2; 16]), device: DeviceId::from_bytes([3; 16]) };
        let (gone, kept) = (LogId::from_bytes([1; 16]), LogId::from_bytes([9; 16]));
        for id in [gone, kept] {
            let mut head = Head::default();
            for number in 0..250_u64 {
                let mut random = [0; 10];
                random[..8].copy_from_slice(&number.to_be_bytes());
                let body = Body::Message { payload: Default::default(), silent: false };
                let expires_in_ms = (number % 2 == 0).then_some(100_000);
                let message_id = MessageId::new(1_000, random);
                let new = NewEntry { message_id, sender, epoch: 0, body, expires_in_ms };
                head = log.append(id, &head, &[new], 1_000).await.unwrap().head;
            }
        }
        log.erase(gone).await.unwrap();
        log.erase(gone).await.unwrap();
        assert_eq!(log.head(gone).await.unwrap(), Head::default());
        for bucket in 0..3 {
            let partition = row::partition(gone, bucket);
            let rows = store.scan(&Scan::all(Table::Entry, partition, 1_000)).await.unwrap();
            assert!(rows.is_empty());
            assert_eq!(store.get(&Key::new(Table::Head, partition, [])).await.unwrap(), None);
        }
        assert!(store.scan(&Scan::all(Table::Bucket, gone.as_bytes(), 9)).await.unwrap().is_empty());
        assert_eq!(log.head(kept).await.unwrap().seq, 250);
        assert!(log.entry(kept, 7).await.unwrap().is_some());
    }
}
