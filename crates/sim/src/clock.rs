//! Simulated time: tokio's paused clock, which jumps to the next timer whenever nothing else is to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tidings_store::Clock;
use tokio::time::Instant;

/// The worlds begin on 1 January 2026.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// A clock on the wall of one machine: true time and how wrong it is.
#[derive(Clone)]
pub struct WallClock {
    begin: Instant,
    skew_ms: Arc<AtomicI64>,
}

impl WallClock {
    /// Made inside the world's runtime.
    pub fn started() -> Self {
        Self { begin: Instant::now(), skew_ms: Arc::new(AtomicI64::new(0)) }
    }

    /// Another machine's clock over the same time.
    pub fn sibling(&self, skew_ms: i64) -> Self {
        Self { begin: self.begin, skew_ms: Arc::new(AtomicI64::new(skew_ms)) }
    }

    pub fn now_ms(&self) -> u64 {
        (BEGIN_MS + self.begin.elapsed().as_millis() as u64).saturating_add_signed(self.skew_ms.load(Ordering::Relaxed))
    }

    pub fn set_skew_ms(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// The moment at which this clock will show `at_ms`.
    pub fn instant_of(&self, at_ms: u64) -> Instant {
        Instant::now() + std::time::Duration::from_millis(at_ms.saturating_sub(self.now_ms()))
    }

    pub fn for_store(&self) -> Clock {
        let clock = self.clone();
        Clock::new(move || clock.now_ms())
    }
}
