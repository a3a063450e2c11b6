//! The crash test: the real binary over its embedded store, killed with SIGKILL at random moments while people write.
//!
//! Each round lets writers append with known message ids, kills the server, starts it again and reads every log through
//! the HTTP API. Nothing that was acknowledged may be missing, doubled, changed or moved; what was not acknowledged is
//! sent again under the same id and must stand in the log exactly once in the end. Registrations, uploaded and claimed
//! key packages are held to the same; receipts may lose their last second.
//!
//! `TIDINGS_CRASH_ROUNDS` (default 4) says how many rounds, `TIDINGS_CRASH_SEED` which dice; `cargo xtask crash` sets
//! them.

mod keys;
mod ledger;
mod people;
mod process;
mod receipts;
mod writer;

use ledger::Ledger;
use people::{Pair, People};
use process::{ServerProcess, Sms};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const PAIRS: usize = 3;
const ROUNDS: u32 = 4;
/// A round lasts between these;
const ROUND_MS: std::ops::RangeInclusive<u64> = 30..=700;
/// and every so often long enough for receipts to become durable in it.
const LONG_ROUND_MS: std::ops::RangeInclusive<u64> = 1_800..=3_000;
const LONG_ROUND_EVERY: u32 = 4;

fn from_env<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn a_kill_loses_doubles_and_moves_nothing_that_was_acknowledged() {
    let rounds = from_env("TIDINGS_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = from_env("TIDINGS_CRASH_SEED").unwrap_or_else(rand::random::<u32>);
    println!("crash test: {rounds} rounds with TIDINGS_CRASH_SEED={seed}");
    // The HTTP client asks for a provider even where it uses no TLS; a second test of this process may be faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads can be started").block_on(run(rounds, StdRng::seed_from_u64(u64::from(seed))));
}

async fn run(rounds: u32, mut rng: StdRng) {
    let sms = Sms::listen().await;
    let mut server = ServerProcess::start(&sms).await;
    let people = People::new(server.base(), sms);
    let mut world = Vec::new();
    for _ in 0..PAIRS {
        let pair = people.new_pair().await;
        world.push((Ledger::new(pair.conversation), pair));
    }
    let mut keys = keys::Keys::new(&people, &world[0].1).await;
    let mut registered = Vec::new();
    for round in 1..=rounds {
        let range = if round % LONG_ROUND_EVERY == 0 { LONG_ROUND_MS } else { ROUND_MS };
        let length = Duration::from_millis(rng.random_range(range));
        let appends = round_of(&people, &mut server, &mut world, &mut keys, &mut registered, length).await;
        println!("round {round}: killed after {} ms, {appends} acknowledged so far", length.as_millis());
    }
    finish(&people, &mut world).await;
    server.kill();
}

/// Writes, kills, starts again, compares. Gives how many appends were acknowledged in all.
async fn round_of(
    people: &People,
    server: &mut ServerProcess,
    world: &mut [(Ledger, Pair)],
    keys: &mut keys::Keys,
    registered: &mut Vec<String>,
    length: Duration,
) -> usize {
    let mut writers = JoinSet::new();
    for (index, (ledger, pair)) in world.iter_mut().enumerate() {
        for (side, person) in [&pair.one, &pair.other].into_iter().enumerate() {
            let pending = ledger.take_pending(side);
            let socket = server.address();
            let (token, conversation) = (person.token.clone(), pair.conversation);
            writers.spawn(async move { (index, side, writer::write(socket, token, conversation, pending).await) });
        }
    }
    let receipts = tokio::spawn(receipts::send(people.clone(), world[0].1.clone()));
    let claims = tokio::spawn(keys::claim(people.clone(), world[0].1.clone()));
    let newcomers = tokio::spawn(people::sign_up_until_the_end(people.clone()));
    tokio::time::sleep(length).await;
    let killed_at = Instant::now();
    server.kill();
    let mut written = Vec::new();
    while let Some(done) = writers.join_next().await {
        written.push(done.expect("a writer does not panic"));
    }
    let claimed = claims.await.expect("claiming does not panic");
    let acknowledged = receipts.await.expect("sending receipts does not panic");
    registered.extend(newcomers.await.expect("signing up does not panic"));
    server.restart().await;
    for (index, side, outcome) in written {
        world[index].0.note(side, outcome);
    }
    for (ledger, pair) in world.iter_mut() {
        let after = ledger.read_after();
        ledger.compare(after, &people.read_log(&pair.one, pair.conversation, after).await);
    }
    for token in registered.iter() {
        people.assert_known(token).await;
    }
    keys.compare(people, claimed).await;
    receipts::compare(people, &world[0].1, &acknowledged, killed_at).await;
    world.iter().map(|(ledger, _)| ledger.acknowledged()).sum()
}

/// Sends again what was never acknowledged, and compares everything for the last time.
async fn finish(people: &People, world: &mut [(Ledger, Pair)]) {
    for (ledger, pair) in world.iter_mut() {
        for (side, person) in [&pair.one, &pair.other].into_iter().enumerate() {
            let pending = ledger.take_pending(side);
            let outcome = people.post_all(person, pair.conversation, pending).await;
            ledger.note(side, outcome);
        }
        ledger.compare(0, &people.read_log(&pair.other, pair.conversation, 0).await);
        assert!(ledger.is_complete(), "everything is acknowledged in the end");
        assert!(ledger.acknowledged() > 0, "the test has tested something");
    }
}
