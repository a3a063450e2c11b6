//! What a store has done since it was opened: plain counters for the metrics of a server.

/// Upper bounds of the buckets of [`Stats::commit_us`], in microseconds; the last bucket has none.
pub const COMMIT_BOUNDS_US: [u64; 11] =
    [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 512_000];
/// Upper bounds of the buckets of [`Stats::group`], in batches; the last bucket has none.
pub const GROUP_BOUNDS: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 512, 2_048];

/// Counters since the opening, except for the two that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches that were committed, and that failed by an assert.
    pub commits: u64,
    pub conflicts: u64,
    /// Calls that were refused because too much waited.
    pub overloads: u64,
    /// Transactions that failed as a whole.
    pub failures: u64,
    /// From the call to the answer, one count per bound of [`COMMIT_BOUNDS_US`] and one beyond.
    pub commit_us: [u64; COMMIT_BOUNDS_US.len() + 1],
    pub commit_us_sum: u64,
    /// The slowest of all.
    pub commit_us_max: u64,
    /// Batches that shared an fsync, one count per bound of [`GROUP_BOUNDS`] and one beyond.
    pub group: [u64; GROUP_BOUNDS.len() + 1],
    /// Transactions that were made durable.
    pub fsyncs: u64,
    /// Merged rows that were taken, and that reached the disk (of several for one row, one does).
    pub merges: u64,
    pub merges_flushed: u64,
    /// Rows that had expired and were removed.
    pub swept: u64,
    /// Batches that wait now.
    pub queue: u64,
    /// Bytes of the files now.
    pub bytes: u64,
}
