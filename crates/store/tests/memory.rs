//! The engine in memory.

use tidings_store::{ManualClock, Store};

fn open() -> (Store, ManualClock, ()) {
    let clock = ManualClock::new(1_700_000_000_000);
    (Store::memory(clock.clock()), clock, ())
}

tidings_store::conformance_tests!(open);
