//! A process that is killed leaves whole batches, and everything that it acknowledged.
//!
//! The parent runs this file again as a child that appends and prints what was acknowledged, kills it at a random moment,
//! and looks at what is left; `TIDINGS_CRASH_ROUNDS` times over the same files.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tidings_proto::entry::{Body, Sender};
use tidings_proto::id::{AccountId, DeviceId, LogId, MessageId};
use tidings_store::log::{Head, Log, NewEntry};
use tidings_store::{Batch, Clock, Key, Store, Table};

const FOLDER: &str = "TIDINGS_CRASH_FOLDER";
const ROUNDS: &str = "TIDINGS_CRASH_ROUNDS";
const LOGS: u8 = 8;
/// Small, so that buckets roll over while the child lives.
const BUCKET_SEQS: u64 = 64;
/// Rows that the other kind of batch writes, all with the same value.
const ROWS: [&str; 3] = ["a", "b", "c"];

fn log_id(log: u8) -> LogId {
    LogId::from_bytes([log; 16])
}

fn sender(log: u8) -> Sender {
    Sender { account: AccountId::from_bytes([1; 16]), device: DeviceId::from_bytes([log; 16]) }
}

/// The entries of one append say how many they are, and which.
fn entries(log: u8, first: u64, count: u64) -> Vec<NewEntry> {
    (0..count)
        .map(|index| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&(first + index).to_be_bytes());
            let payload = format!("{index} of {count}").into_bytes();
            NewEntry {
                message_id: MessageId::new(first, random),
                sender: sender(log),
                epoch: 0,
                body: Body::Message { payload: payload.into(), silent: false },
                expires_in_ms: Some(60 * 60 * 1_000),
            }
        })
        .collect()
}

/// Only the parent runs it, as a process of its own.
#[test]
#[ignore = "the other test runs it, and kills it"]
fn child() {
    let folder = std::env::var(FOLDER).expect("the parent says where");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::embedded(Path::new(&folder), Clock::system()).unwrap();
        for log in 0..LOGS {
            tokio::spawn(append_for_ever(store.clone(), log));
        }
        put_for_ever(store).await;
    });
}

async fn append_for_ever(store: Store, id: u8) {
    let log = Log::with_bucket_seqs(store, BUCKET_SEQS);
    let mut head = log.head(log_id(id)).await.unwrap();
    for round in 0.. {
        let room = BUCKET_SEQS - head.seq % BUCKET_SEQS;
        let new = entries(id, head.seq + 1, (round % 4 + 1).min(room));
        head = log.append(log_id(id), &head, &new, Clock::system().now_ms()).await.unwrap().head;
        say(format!("log {id} {}", head.seq));
    }
}

async fn put_for_ever(store: Store) {
    let key = Key::new(Table::Device, "p", ROWS[0]);
    let stored = store.get(&key).await.unwrap();
    let first: u64 = stored.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap());
    for number in first + 1.. {
        let batch = Batch::new(Table::Device.family(), "p");
        let batch = ROWS.iter().fold(batch, |batch, row| batch.put(Table::Device, row, number.to_string()));
        store.commit(batch).await.unwrap();
        say(format!("put 0 {number}"));
    }
}

fn say(line: String) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

#[test]
fn a_killed_process_leaves_whole_batches_and_all_that_it_acknowledged() {
    let rounds: u32 = std::env::var(ROUNDS).map_or(4, |rounds| rounds.parse().expect("a number of rounds"));
    let folder = tempfile::TempDir::new().unwrap();
    let mut acknowledged = HashMap::new();
    for round in 0..rounds {
        let before: u64 = acknowledged.values().sum();
        live_and_die(folder.path(), &mut acknowledged);
        assert!(acknowledged.values().sum::<u64>() > before, "round {round} acknowledged nothing");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(folder.path(), &acknowledged));
    }
}

/// Runs a child for a moment, and adds the highest numbers that it acknowledged.
fn live_and_die(folder: &Path, acknowledged: &mut HashMap<String, u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.by_ref().map(Result::unwrap).find(|line| parse(line).is_some());
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let killer = std::thread::spawn(move || {
        // The moment is what is tested.
        std::thread::sleep(Duration::from_millis(100 + u64::from(nanos) % 400));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    // A line that the kill cut short is no acknowledgement; with a digit missing it would be a smaller one.
    for line in first.into_iter().chain(lines.map_while(Result::ok)) {
        if let Some((what, number)) = parse(&line) {
            let highest = acknowledged.entry(what).or_insert(0);
            *highest = number.max(*highest);
        }
    }
    killer.join().unwrap();
}

fn parse(line: &str) -> Option<(String, u64)> {
    let (what, number) = line.rsplit_once(' ')?;
    (what.starts_with("log ") || what == "put 0").then_some((what.into(), number.parse().ok()?))
}

async fn check(folder: &Path, acknowledged: &HashMap<String, u64>) {
    let store = Store::embedded(folder, Clock::system()).unwrap();
    let log = Log::with_bucket_seqs(store.clone(), BUCKET_SEQS);
    for id in 0..LOGS {
        let head = log.head(log_id(id)).await.unwrap();
        let promised = acknowledged.get(&format!("log {id}")).copied().unwrap_or(0);
        assert!(head.seq >= promised, "log {id} ends at {}, {promised} was acknowledged", head.seq);
        check_log(&log, id, &head).await;
    }
    let keys = ROWS.map(|row| Key::new(Table::Device, "p", row));
    let values = store.get_many(&keys).await.unwrap();
    assert!(values.iter().all(|value| *value == values[0]), "a batch is there in part: {values:?}");
    let promised = acknowledged.get("put 0").copied().unwrap_or(0);
    let stored: u64 = values[0].as_ref().map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
    assert!(stored >= promised, "{stored} is stored, {promised} was acknowledged");
    store.close().await.unwrap();
}

/// Every entry is there once, with its sent row, and the last append is there to its end.
async fn check_log(log: &Log, id: u8, head: &Head) {
    let page = log.page(log_id(id), head, 0, u32::MAX, usize::MAX).await.unwrap();
    assert_eq!((page.entries.len() as u64, page.oldest), (head.seq, 1));
    let mut expected_index = 0;
    for (seq, stored) in (1..).zip(&page.entries) {
        let entry = stored.decode().unwrap();
        assert_eq!(entry.seq, seq);
        let Body::Message { payload, .. } = &entry.body else { panic!("another body") };
        let text = std::str::from_utf8(payload.as_slice()).unwrap();
        let (index, count) =
            text.split_once(" of ").map(|(a, b)| (a.parse::<u64>().unwrap(), b.parse::<u64>().unwrap())).unwrap();
        assert_eq!(index, expected_index, "log {id} has a part of an append at {seq}");
        expected_index = (index + 1) % count;
        if seq + BUCKET_SEQS > head.seq {
            let sent = log.sent(log_id(id), head, entry.message_id, entry.sender.device).await.unwrap();
            assert_eq!(sent.map(|sent| sent.seq), Some(seq));
        }
    }
    assert_eq!(expected_index, 0, "log {id} ends with a part of an append");
}
