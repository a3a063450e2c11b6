//! Reading a log page by page, in either direction.

use super::{Head, Log, row};
use crate::error::StoreError;
use crate::key::{Row, Scan};
use crate::table::Table;
use tidings_proto::codec::StoredEntry;
use tidings_proto::id::LogId;

/// Entries in ascending order. The page covers every seq from where it was asked to begin to its last entry (backwards:
/// its first), and to the end of the log if `caught_up`: a seq in between that is missing has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    pub entries: Vec<StoredEntry>,
    /// Seq of the head that was given.
    pub head: u64,
    /// Seq of the oldest entry that is kept, `head + 1` if there is none.
    pub oldest: u64,
    /// Nothing lies beyond this page in its direction.
    pub caught_up: bool,
}

/// What a walk over the buckets has collected.
struct Walk {
    rows: Vec<Row>,
    limit: u32,
    max_bytes: usize,
}

impl Walk {
    /// Whether the page is full.
    fn is_full(&self) -> bool {
        !self.rows.is_empty() && (self.rows.len() >= self.limit as usize || self.max_bytes == 0)
    }

    fn add(&mut self, rows: Vec<Row>) {
        let bytes = rows.iter().map(|row| row.value.len()).sum();
        self.max_bytes = self.max_bytes.saturating_sub(bytes);
        self.rows.extend(rows);
    }

    fn last_seq(&self) -> Result<Option<u64>, StoreError> {
        self.rows.last().map(|last| row::decode_u64(&last.row)).transpose()
    }

    fn into_entries(self) -> Vec<StoredEntry> {
        self.rows.into_iter().map(|row| StoredEntry::from_bytes(row.value)).collect()
    }
}

impl Log {
    /// The entries with `after < seq <= head`: at most `limit`, and none more once they come to `max_bytes`.
    pub async fn page(
        &self,
        log: LogId,
        head: &Head,
        after: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<LogPage, StoreError> {
        let oldest = self.oldest(log, head).await?;
        let mut walk = Walk { rows: Vec::new(), limit: limit.max(1), max_bytes };
        let mut next = oldest.max(after.saturating_add(1));
        while next <= head.seq && !walk.is_full() {
            let end = (self.bucket_of(next) + 1).saturating_mul(self.bucket_seqs).min(head.seq);
            walk.add(self.store.scan(&self.scan(log, next, end, &walk)).await?);
            next = end + 1;
        }
        let caught_up = !walk.is_full() || walk.last_seq()? == Some(head.seq);
        Ok(LogPage { entries: walk.into_entries(), head: head.seq, oldest, caught_up })
    }

    /// The newest entries with `seq < before`, within the same bounds.
    pub async fn page_before(
        &self,
        log: LogId,
        head: &Head,
        before: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<LogPage, StoreError> {
        let oldest = self.oldest(log, head).await?;
        let mut walk = Walk { rows: Vec::new(), limit: limit.max(1), max_bytes };
        let mut next = head.seq.min(before.saturating_sub(1));
        while next >= oldest && next > 0 && !walk.is_full() {
            let start = self.bucket_of(next) * self.bucket_seqs + 1;
            walk.add(self.store.scan(&self.scan(log, start, next, &walk).reverse()).await?);
            next = start - 1;
        }
        let caught_up = !walk.is_full() || walk.last_seq()?.is_some_and(|seq| seq <= oldest);
        walk.rows.reverse();
        Ok(LogPage { entries: walk.into_entries(), head: head.seq, oldest, caught_up })
    }

    /// Seq of the oldest entry that is kept. Remembers how far it had to look, since what is gone does not come back.
    async fn oldest(&self, log: LogId, head: &Head) -> Result<u64, StoreError> {
        if head.seq == 0 {
            return Ok(1);
        }
        let hint = self.hint(log, row::OLDEST_HINT).await?;
        let last = self.bucket_of(head.seq);
        let mut bucket = hint;
        let mut oldest = head.seq + 1;
        while bucket <= last {
            let walk = Walk { rows: Vec::new(), limit: 1, max_bytes: usize::MAX };
            let start = bucket * self.bucket_seqs + 1;
            let end = ((bucket + 1) * self.bucket_seqs).min(head.seq);
            if let Some(found) = self.store.scan(&self.scan(log, start, end, &walk)).await?.first() {
                oldest = row::decode_u64(&found.row)?;
                break;
            }
            bucket += 1;
        }
        // The last bucket may still grow, so the hint never passes it.
        let bucket = bucket.min(last);
        if bucket > hint {
            self.move_hint(log, row::OLDEST_HINT, bucket).await;
        }
        Ok(oldest)
    }

    /// Both seqs belong to the range, and lie in one bucket.
    fn scan(&self, log: LogId, start: u64, end: u64, walk: &Walk) -> Scan {
        Scan::all(Table::Entry, row::partition(log, self.bucket_of(start)), walk.limit - walk.rows.len() as u32)
            .from(start.to_be_bytes())
            .until((end + 1).to_be_bytes())
            .max_bytes(walk.max_bytes)
    }
}
