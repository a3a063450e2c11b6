//! What durable appends cost on this machine: appends per second, CPU per append, and how many share an fsync, at several
//! depths (callers that wait at once); and what one fsync costs the disk by itself.
//!
//! `cargo run --release -p tidings-store --example append -- [folder] [logs] [seconds per depth] [depth …]`

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings_proto::entry::{Body, Sender};
use tidings_proto::id::{AccountId, DeviceId, LogId, MessageId};
use tidings_store::log::{AppendError, Head, Log, NewEntry};
use tidings_store::{Clock, Store};

const DEPTHS: [usize; 4] = [1, 16, 256, 2_000];
const BODY_BYTES: usize = 400;
const RETENTION_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The callers take logs at random; a log that somebody appends to is left to them.
struct World {
    log: Log,
    clock: Clock,
    heads: Vec<Mutex<Head>>,
    appended: AtomicU64,
    is_over: AtomicBool,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().unwrap_or_else(|| ".".into());
    let logs: usize = arguments.next().map_or(100_000, |logs| logs.parse().expect("a number of logs"));
    let seconds: u64 = arguments.next().map_or(4, |seconds| seconds.parse().expect("seconds"));
    let depths: Vec<usize> = arguments.map(|depth| depth.parse().expect("a depth")).collect();
    let depths = if depths.is_empty() { DEPTHS.to_vec() } else { depths };
    let folder = tempfile::tempdir_in(&parent).expect("a folder");
    measure_fsync(&folder.path().join("fsync"));
    let clock = Clock::system();
    let store = Store::embedded(folder.path(), clock.clone()).expect("a store");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("{logs} logs, bodies of {BODY_BYTES} bytes, {seconds} s each");
    println!("  depth  appends/s  CPU-us/append  batches/fsync  p50 ms  p99 ms  max ms");
    let world = Arc::new(World {
        log: Log::new(store.clone()),
        clock,
        heads: (0..logs).map(|_| Mutex::default()).collect(),
        appended: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    });
    for depth in depths {
        runtime.block_on(measure(&world, &store, depth, Duration::from_secs(seconds)));
    }
    runtime.block_on(store.close()).expect("closed");
}

/// Appends 4 KiB to a file and makes it durable, again and again.
fn measure_fsync(path: &Path) {
    let mut file = File::create(path).expect("a file");
    let mut took = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        let since = Instant::now();
        file.write_all(&[7; 4_096]).and_then(|()| file.sync_data()).expect("a disk that can sync");
        took.push(since.elapsed());
    }
    took.sort();
    println!(
        "fsync of 4 KiB: {} per second, p50 {:?}, p99 {:?}",
        took.len(),
        took[took.len() / 2],
        took[took.len() * 99 / 100]
    );
}

async fn measure(world: &Arc<World>, store: &Store, depth: usize, time: Duration) {
    world.is_over.store(false, Relaxed);
    let (before, cpu_before, appended_before) = (store.stats(), cpu(), world.appended.load(Relaxed));
    let start = Instant::now();
    let callers: Vec<_> = (0..depth).map(|caller| tokio::spawn(call(world.clone(), caller as u64))).collect();
    tokio::time::sleep(time).await;
    world.is_over.store(true, Relaxed);
    let mut took = Vec::new();
    for caller in callers {
        took.extend(caller.await.expect("a caller"));
    }
    let elapsed = start.elapsed();
    took.sort();
    let appended = world.appended.load(Relaxed) - appended_before;
    let after = store.stats();
    let ms = |part: usize| took[(took.len() - 1) * part / 1_000].as_secs_f64() * 1e3;
    println!(
        "{depth:>7}  {:>9.0}  {:>13.1}  {:>13.1}  {:>6.2}  {:>6.2}  {:>6.1}",
        appended as f64 / elapsed.as_secs_f64(),
        (cpu() - cpu_before).as_secs_f64() * 1e6 / appended as f64,
        (after.commits - before.commits) as f64 / (after.fsyncs - before.fsyncs) as f64,
        ms(500),
        ms(990),
        ms(1_000),
    );
}

async fn call(world: Arc<World>, caller: u64) -> Vec<Duration> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (caller + 1) << 20);
    let sender = Sender { account: AccountId::from_bytes([1; 16]), device: DeviceId::from_bytes(random.bytes()) };
    let payload: Vec<u8> = (0..BODY_BYTES).map(|_| random.next() as u8).collect();
    let body = Body::Message { payload: payload.into(), silent: false };
    let mut took = Vec::new();
    while !world.is_over.load(Relaxed) {
        let index = random.next() as usize % world.heads.len();
        let mut id = [7; 16];
        id[..8].copy_from_slice(&(index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let head = *world.heads[index].lock().expect("a head");
        let now_ms = world.clock.now_ms();
        let message_id = MessageId::new(now_ms, random.bytes());
        let new = NewEntry { message_id, sender, epoch: 0, body: body.clone(), expires_in_ms: Some(RETENTION_MS) };
        let since = Instant::now();
        match world.log.append(LogId::from_bytes(id), &head, &[new], now_ms).await {
            Ok(appended) => {
                *world.heads[index].lock().expect("a head") = appended.head;
                world.appended.fetch_add(1, Relaxed);
                took.push(since.elapsed());
            }
            Err(AppendError::HeadMoved) => {}
            Err(error) => panic!("{error}"),
        }
    }
    took
}

/// Xorshift: cheap, and the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

/// User and system time of this process so far. The kernel counts it in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a process has a name").1.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
