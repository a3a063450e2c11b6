//! Worlds that must keep every promise: a fixed list of seeds, and some that nobody has seen before.

use tidings_sim::{Settings, run};

const STEPS: u64 = 120;
const FIXED_SEEDS: std::ops::Range<u64> = 0..24;
const FRESH_SEEDS: u64 = 8;

fn grow(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let outcome = run(Settings { seed, steps: STEPS, aloud: false });
        assert!(outcome.violation.is_none(), "{}", outcome.report(STEPS, true));
    }
}

#[test]
fn known_worlds_keep_every_promise() {
    grow(FIXED_SEEDS);
}

#[test]
fn new_worlds_keep_every_promise() {
    let first = u64::from(rand::random::<u32>()) + FIXED_SEEDS.end;
    grow(first..first + FRESH_SEEDS);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let fingerprint = |seed| run(Settings { seed, steps: 60, aloud: false }).fingerprint;
    assert_eq!(fingerprint(7), fingerprint(7));
    assert_ne!(fingerprint(7), fingerprint(8));
}
