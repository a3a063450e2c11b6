//! What is stored, for those who want to see that retention holds. Counted from the files themselves.

use crate::engine::embedded;
use crate::error::StoreError;
use std::path::Path;

/// Of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Entries that expire: messages, and welcomes in inboxes.
    pub messages: Entries,
    /// Entries that are kept for ever: commits and leaves.
    pub handshakes: Entries,
    pub file_bytes: u64,
    /// The write-ahead log beside the file: used again and again, never longer than some 80 MiB for long.
    pub wal_bytes: u64,
    /// Of the file: pages that the next writes take, or that are given back soon.
    pub free_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    pub rows: u64,
    /// Of their values.
    pub bytes: u64,
    /// When the oldest of them was appended.
    pub oldest_ms: Option<u64>,
    /// How many have expired and are not yet removed, and since when the first of these.
    pub overdue: u64,
    pub overdue_since_ms: Option<u64>,
}

/// Counts what the embedded store in `folder` holds. Reads all of its index, beside a running server too.
pub fn take(folder: &Path, now_ms: u64) -> Result<Census, StoreError> {
    embedded::census(folder, now_ms)
}
