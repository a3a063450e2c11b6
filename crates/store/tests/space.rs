//! Expired rows leave the disk: the file gets shorter, and the census says so.

use std::path::Path;
use std::time::{Duration, Instant};
use tidings_proto::entry::{Body, Sender};
use tidings_proto::id::{AccountId, DeviceId, LogId, MessageId};
use tidings_store::log::{Head, Log, NewEntry};
use tidings_store::{ManualClock, Store, census};

const START_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MESSAGES: u64 = 600;
const MESSAGE_BYTES: usize = 50_000;

/// Messages of `log` that live for a day, and one commit that stays.
async fn fill(log: &Log, id: LogId, now_ms: u64) -> Head {
    let sender = Sender { account: AccountId::from_bytes([2; 16]), device: DeviceId::from_bytes([3; 16]) };
    let mut head = Head::default();
    for number in 0..=MESSAGES {
        let body = match number {
            0 => Body::Commit { payload: Default::default(), change: Box::default() },
            _ => Body::Message { payload: vec![number as u8; MESSAGE_BYTES].into(), silent: false },
        };
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        let expires_in_ms = (number > 0).then_some(DAY_MS);
        let new =
            NewEntry { message_id: MessageId::new(now_ms, random), sender, epoch: head.epoch, body, expires_in_ms };
        head = log.append(id, &head, &[new], now_ms).await.unwrap().head;
    }
    head
}

fn file_bytes(folder: &Path) -> u64 {
    folder.join("tidings.db").metadata().unwrap().len()
}

#[tokio::test]
async fn the_file_gets_shorter_when_messages_expire() {
    let clock = ManualClock::new(START_MS);
    let folder = tempfile::TempDir::new().unwrap();
    let store = Store::embedded(folder.path(), clock.clock()).unwrap();
    let log = Log::new(store.clone());
    let head = fill(&log, LogId::from_bytes([1; 16]), START_MS).await;

    let full = census::take(folder.path(), START_MS + DAY_MS + 1).unwrap();
    assert_eq!((full.messages.rows, full.handshakes.rows, full.messages.overdue), (MESSAGES, 1, MESSAGES));
    assert_eq!((full.messages.oldest_ms, full.handshakes.oldest_ms), (Some(START_MS), Some(START_MS)));
    assert_eq!(full.messages.overdue_since_ms, Some(START_MS + DAY_MS));
    assert!(full.messages.bytes > MESSAGES * MESSAGE_BYTES as u64);

    clock.advance(DAY_MS + 120_000);
    assert_eq!(store.sweep().await.unwrap(), MESSAGES);
    // Space is given back in steps, between which others write; the file follows at the end.
    let (start, most) = (Instant::now(), 12 * 1024 * 1024);
    while file_bytes(folder.path()) > most || full.file_bytes + full.wal_bytes < most {
        assert!(start.elapsed() < Duration::from_secs(30), "{} bytes", file_bytes(folder.path()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = census::take(folder.path(), clock.now_ms()).unwrap();
    assert_eq!((after.messages.rows, after.messages.bytes, after.messages.oldest_ms), (0, 0, None));
    assert_eq!((after.handshakes.rows, after.messages.overdue_since_ms), (1, None));
    // The log goes on where it was.
    assert_eq!(log.head(LogId::from_bytes([1; 16])).await.unwrap(), head);
    store.close().await.unwrap();
    assert_eq!(census::take(folder.path(), clock.now_ms()).unwrap().handshakes.rows, 1);
}

#[test]
fn a_folder_without_a_store_is_told_apart() {
    let folder = tempfile::TempDir::new().unwrap();
    assert!(census::take(folder.path(), START_MS).is_err());
    assert!(!folder.path().join("tidings.db").exists());
}
