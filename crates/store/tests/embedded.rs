//! The embedded engine.

use tempfile::TempDir;
use tidings_store::{ManualClock, Store};

fn open() -> (Store, ManualClock, TempDir) {
    let clock = ManualClock::new(1_700_000_000_000);
    let folder = TempDir::new().unwrap();
    (Store::embedded(folder.path(), clock.clock()).unwrap(), clock, folder)
}

tidings_store::conformance_tests!(open);
