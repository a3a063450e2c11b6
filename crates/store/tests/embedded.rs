//! The embedded engine: with its usual memtable, where these rows stay in memory, and with one so small that every row is
//! moved into the trees at once.

use tempfile::TempDir;
use tidings_proto::limit;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{
    Batch, Clock, CommitError, EmbeddedOptions, Key, ManualClock, MergeRow, Scan, Store, StoreError, Table,
};

const IN_TREES: EmbeddedOptions = EmbeddedOptions { memtable_rows: 1 };

fn open_with(options: EmbeddedOptions) -> (Store, ManualClock, TempDir) {
    let clock = ManualClock::new(1_700_000_000_000);
    let folder = TempDir::new().unwrap();
    (Store::embedded_with(folder.path(), clock.clock(), options).unwrap(), clock, folder)
}

mod in_memory {
    fn open() -> (tidings_store::Store, tidings_store::ManualClock, tempfile::TempDir) {
        super::open_with(Default::default())
    }

    tidings_store::conformance_tests!(open);
}

mod in_trees {
    fn open() -> (tidings_store::Store, tidings_store::ManualClock, tempfile::TempDir) {
        super::open_with(super::IN_TREES)
    }

    tidings_store::conformance_tests!(open);
}

fn batch() -> Batch {
    Batch::new(Family::Account, "p")
}

fn key(row: &str) -> Key {
    Key::new(Table::Device, "p", row)
}

#[tokio::test]
async fn what_was_committed_or_merged_is_there_after_closing() {
    for options in [IN_TREES, EmbeddedOptions::default()] {
        let (store, clock, folder) = open_with(options);
        store.commit(batch().put(Table::Device, "a", "1").put(Table::Device, "b", "2")).await.unwrap();
        store.commit(batch().delete(Table::Device, "a")).await.unwrap();
        store.merge(vec![MergeRow::new(Table::Cursor, "p", "row", 7, "7")]).await.unwrap();
        store.close().await.unwrap();
        let store = Store::embedded(folder.path(), clock.clock()).unwrap();
        assert_eq!(store.get_many(&[key("a"), key("b")]).await.unwrap(), [None, Some("2".into())]);
        assert_eq!(store.get(&Key::new(Table::Cursor, "p", "row")).await.unwrap(), Some("7".into()));
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_has_written_everything() {
    let (store, clock, folder) = open_with(EmbeddedOptions::default());
    store.commit(batch().put(Table::Device, "a", "1")).await.unwrap();
    store.merge(vec![MergeRow::new(Table::Cursor, "p", "row", 7, "7")]).await.unwrap();
    drop(store);
    let store = Store::embedded(folder.path(), clock.clock()).unwrap();
    assert_eq!(store.get(&key("a")).await.unwrap(), Some("1".into()));
    assert_eq!(store.get(&Key::new(Table::Cursor, "p", "row")).await.unwrap(), Some("7".into()));
}

#[tokio::test]
async fn a_folder_belongs_to_one_store_at_a_time() {
    let (store, clock, folder) = open_with(EmbeddedOptions::default());
    let second = Store::embedded(folder.path(), clock.clock());
    assert!(matches!(second, Err(StoreError::Unavailable(why)) if why.contains("in use by another process")));
    store.close().await.unwrap();
    Store::embedded(folder.path(), clock.clock()).unwrap();
}

#[tokio::test]
async fn files_of_a_newer_version_are_refused() {
    let (store, clock, folder) = open_with(EmbeddedOptions::default());
    store.close().await.unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
    connection.pragma_update(None, "user_version", 1_000).unwrap();
    drop(connection);
    let newer = Store::embedded(folder.path(), clock.clock());
    assert!(matches!(newer, Err(StoreError::Unavailable(why)) if why.contains("version 1000")));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("tidings.db"), vec![7; 8_192]).unwrap();
    assert!(matches!(Store::embedded(folder.path(), Clock::system()), Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn too_much_that_waits_is_refused_and_the_rest_is_written() {
    let (store, _, _folder) = open_with(EmbeddedOptions::default());
    let value = bytes::Bytes::from(vec![1; limit::VALUE_MAX_BYTES]);
    let commits =
        (0..64).map(|row: u8| store.commit(Batch::new(Family::Keys, "p").put(Table::KeyPackage, [row], value.clone())));
    let results = futures_util::future::join_all(commits).await;
    let refused = results.iter().filter(|result| **result == Err(StoreError::Overloaded.into())).count();
    let written = results.iter().filter(|result| result.is_ok()).count();
    assert!(refused > 0 && written > 0 && refused + written == 64, "{refused} refused, {written} written");
    let stats = store.stats();
    assert_eq!((stats.commits, stats.overloads, stats.queue), (written as u64, refused as u64, 0));
    let rows = store.scan(&Scan::all(Table::KeyPackage, "p", 100)).await.unwrap();
    assert_eq!(rows.len(), written);
}

#[tokio::test]
async fn batches_that_wait_share_an_fsync() {
    let (store, _, _folder) = open_with(EmbeddedOptions::default());
    let put = |row: u16| {
        store.commit(batch().assert(Table::Device, row.to_be_bytes(), Assert::Absent).put(
            Table::Device,
            row.to_be_bytes(),
            "",
        ))
    };
    let results = futures_util::future::join_all((0..500).map(put)).await;
    assert!(results.iter().all(Result::is_ok));
    let stats = store.stats();
    assert_eq!((stats.commits, stats.commit_us.iter().sum::<u64>()), (500, 500));
    assert!(stats.fsyncs < 250, "{} fsyncs for 500 batches", stats.fsyncs);
    assert_eq!(stats.group.iter().sum::<u64>(), stats.fsyncs);
    assert!(stats.commit_us_max > 0 && stats.bytes > 0);
}

#[tokio::test]
async fn space_of_swept_rows_is_given_back() {
    let (store, clock, folder) = open_with(IN_TREES);
    let value = bytes::Bytes::from(vec![1; 1 << 20]);
    for row in 0..32u8 {
        let batch = Batch::new(Family::Keys, "p");
        store.commit(batch.put_until(Table::KeyPackage, [row], value.clone(), clock.now_ms() + 1)).await.unwrap();
    }
    clock.advance(1_000_000);
    assert_eq!(store.sweep().await.unwrap(), 32);
    // Each asks the writer to look for more, and it gives a part of the space back when it finds none.
    for _ in 0..32 {
        assert_eq!(store.sweep().await.unwrap(), 0);
    }
    store.close().await.unwrap();
    let bytes = std::fs::metadata(folder.path().join("tidings.db")).unwrap().len();
    assert!(bytes < 12 << 20, "{bytes} bytes are left of 32 MiB");
}

#[tokio::test]
async fn a_transaction_that_fails_is_answered_to_all_who_wait_and_leaves_nothing() {
    let (store, clock, folder) = open_with(EmbeddedOptions::default());
    // Another program that writes to the file keeps the writer from it.
    let intruder = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.merge(vec![MergeRow::new(Table::Cursor, "p", "row", 7, "7")]).await.unwrap();
    let commits = ["a", "b", "c"].map(|row| store.commit(batch().put(Table::Device, row, "")));
    for result in futures_util::future::join_all(commits).await {
        assert!(matches!(result, Err(CommitError::Store(StoreError::Unavailable(_)))), "{result:?}");
    }
    intruder.execute_batch("ROLLBACK").unwrap();
    assert!(store.stats().failures > 0);
    assert_eq!(store.scan(&Scan::all(Table::Device, "p", 10)).await.unwrap(), []);
    assert_eq!(store.get(&Key::new(Table::Cursor, "p", "row")).await.unwrap(), Some("7".into()));
    store.commit(batch().put(Table::Device, "d", "")).await.unwrap();
    store.close().await.unwrap();
    let store = Store::embedded(folder.path(), clock.clock()).unwrap();
    assert_eq!(store.get_many(&[key("a"), key("d")]).await.unwrap(), [None, Some("".into())]);
    assert_eq!(store.get(&Key::new(Table::Cursor, "p", "row")).await.unwrap(), Some("7".into()));
}

#[tokio::test]
async fn merged_rows_reach_the_disk_by_themselves() {
    let (store, _, folder) = open_with(EmbeddedOptions::default());
    store.merge(vec![MergeRow::new(Table::Cursor, "p", "row", 7, "7")]).await.unwrap();
    let flushed = async {
        while store.stats().merges_flushed == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), flushed).await.unwrap();
    let reader = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
    let rows: i64 = reader.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
    assert_eq!((rows, store.stats().merges), (1, 1));
}
