//! The counters behind [`Stats`].

use crate::stats::{COMMIT_BOUNDS_US, GROUP_BOUNDS, Stats};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub struct Meter {
    pub commits: AtomicU64,
    pub conflicts: AtomicU64,
    pub overloads: AtomicU64,
    pub failures: AtomicU64,
    commit_us: [AtomicU64; COMMIT_BOUNDS_US.len() + 1],
    commit_us_sum: AtomicU64,
    commit_us_max: AtomicU64,
    group: [AtomicU64; GROUP_BOUNDS.len() + 1],
    pub fsyncs: AtomicU64,
    pub merges: AtomicU64,
    pub merges_flushed: AtomicU64,
    pub swept: AtomicU64,
}

impl Meter {
    pub fn commit_took(&self, us: u64) {
        self.commit_us[COMMIT_BOUNDS_US.partition_point(|bound| *bound < us)].fetch_add(1, Relaxed);
        self.commit_us_sum.fetch_add(us, Relaxed);
        self.commit_us_max.fetch_max(us, Relaxed);
    }

    pub fn group_had(&self, batches: u64) {
        self.group[GROUP_BOUNDS.partition_point(|bound| *bound < batches)].fetch_add(1, Relaxed);
    }

    pub fn read(&self, queue: u64, bytes: u64) -> Stats {
        Stats {
            commits: self.commits.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            overloads: self.overloads.load(Relaxed),
            failures: self.failures.load(Relaxed),
            commit_us: self.commit_us.each_ref().map(|count| count.load(Relaxed)),
            commit_us_sum: self.commit_us_sum.load(Relaxed),
            commit_us_max: self.commit_us_max.load(Relaxed),
            group: self.group.each_ref().map(|count| count.load(Relaxed)),
            fsyncs: self.fsyncs.load(Relaxed),
            merges: self.merges.load(Relaxed),
            merges_flushed: self.merges_flushed.load(Relaxed),
            swept: self.swept.load(Relaxed),
            queue,
            bytes,
        }
    }
}
