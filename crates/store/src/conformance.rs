//! What every engine must do: plain functions that panic where it does not.
//!
//! An engine's test says `tidings_store::conformance_tests!(open)`, where `open` gives an empty store, the clock that it
//! goes by, and whatever must live as long as the store (a folder); each function of the list becomes a test.

use crate::batch::{Assert, Batch, MergeRow};
use crate::clock::ManualClock;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use crate::store::{MERGE_DELAY_MAX_MS, Store};
use crate::table::{Family, Table};
use bytes::Bytes;
use std::collections::BTreeMap;
use tidings_proto::limit;

/// Makes a test of each function for the engine that `$open` opens. The crate needs `tokio` and `proptest` for it.
#[macro_export]
macro_rules! conformance_tests {
    ($open:expr) => {
        $crate::conformance_tests!($open,
            get_finds_what_was_put,
            a_scan_gives_a_range_in_either_direction,
            a_scan_keeps_its_limits,
            rows_are_ordered_by_bytes,
            a_batch_is_atomic,
            absent_holds_for_rows_that_are_not_there,
            present_holds_for_rows_that_are_there,
            equals_holds_for_the_same_bytes,
            a_conflict_names_the_first_assert_that_fails,
            a_conflict_writes_nothing,
            a_batch_sees_what_was_committed_before_it,
            of_rivals_for_one_row_one_wins,
            deleted_rows_are_gone,
            expired_rows_are_gone_for_every_verb,
            a_row_that_is_put_again_has_its_new_expiry,
            a_sweep_takes_only_what_has_expired,
            tables_and_partitions_do_not_leak,
            keys_may_be_empty_or_long,
            large_values_come_back_whole,
            merged_rows_are_seen_at_once,
            merged_rows_are_scanned_in_order,
            merged_rows_that_were_deleted_do_not_come_back,
            a_closed_store_answers_nothing,
        );

        ::proptest::proptest! {
            #![proptest_config(::proptest::prelude::ProptestConfig::with_cases(32))]
            #[test]
            fn merges_commute(merges in ::proptest::collection::vec((0..4u8, 0..20u64), 1..40), at in 0..40usize) {
                let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    let (store, clock, _kept) = $open();
                    $crate::conformance::merges_commute(&store, &clock, &merges, at).await;
                });
            }
        }
    };
    ($open:expr, $($name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (store, clock, _kept) = $open();
                $crate::conformance::$name(&store, &clock).await;
            }
        )*
    };
}

const PARTITION: &[u8] = b"partition";

async fn get(store: &Store, table: Table, row: &[u8]) -> Option<Bytes> {
    store.get(&Key::new(table, PARTITION, row)).await.unwrap()
}

fn batch() -> Batch {
    Batch::new(Family::Account, PARTITION)
}

/// Puts rows whose value is their key.
async fn put_rows(store: &Store, table: Table, rows: &[&[u8]]) {
    let batch =
        rows.iter().fold(Batch::new(table.family(), PARTITION), |batch, row| batch.put(table, row, row.to_vec()));
    store.commit(batch).await.unwrap();
}

async fn scan(store: &Store, scan: Scan) -> Vec<Bytes> {
    store.scan(&scan).await.unwrap().into_iter().map(|row| row.row).collect()
}

fn all(table: Table) -> Scan {
    Scan::all(table, PARTITION, 1_000)
}

pub async fn get_finds_what_was_put(store: &Store, _: &ManualClock) {
    assert_eq!(get(store, Table::Device, b"a").await, None);
    store.commit(batch().put(Table::Device, b"a", "1").put(Table::Device, b"b", "2")).await.unwrap();
    store.commit(batch().put(Table::Device, b"a", "3").put(Table::Device, b"c", "")).await.unwrap();
    let keys = [b"c", b"a", b"x", b"b", b"a"].map(|row| Key::new(Table::Device, PARTITION, row));
    let values = store.get_many(&keys).await.unwrap();
    assert_eq!(values, [Some(Bytes::new()), Some("3".into()), None, Some("2".into()), Some("3".into())]);
    assert_eq!(store.get_many(&[]).await.unwrap(), Vec::<Option<Bytes>>::new());
    assert_eq!(get(store, Table::Device, b"b").await, Some("2".into()));
}

pub async fn a_scan_gives_a_range_in_either_direction(store: &Store, _: &ManualClock) {
    for table in [Table::Device, Table::KeyPackage] {
        put_rows(store, table, &[b"a", b"b", b"c", b"d"]).await;
        assert_eq!(scan(store, all(table)).await, ["a", "b", "c", "d"]);
        assert_eq!(scan(store, all(table).from(b"b")).await, ["b", "c", "d"]);
        assert_eq!(scan(store, all(table).until(b"c")).await, ["a", "b"]);
        assert_eq!(scan(store, all(table).from(b"aa").until(b"cc")).await, ["b", "c"]);
        assert_eq!(scan(store, all(table).from(b"b").until(b"d").reverse()).await, ["c", "b"]);
        assert_eq!(scan(store, all(table).reverse()).await, ["d", "c", "b", "a"]);
        assert!(scan(store, all(table).from(b"c").until(b"b")).await.is_empty());
        assert!(scan(store, all(table).from(b"b").until(b"b")).await.is_empty());
        assert!(scan(store, Scan::all(table, b"elsewhere", 10)).await.is_empty());
        let rows = store.scan(&all(table).from(b"d")).await.unwrap();
        assert_eq!(rows, [Row { row: "d".into(), value: "d".into() }]);
    }
}

pub async fn a_scan_keeps_its_limits(store: &Store, _: &ManualClock) {
    put_rows(store, Table::Device, &[b"aa", b"bb", b"cc", b"dd"]).await;
    let limited = |limit| Scan::all(Table::Device, PARTITION, limit);
    assert!(scan(store, limited(0)).await.is_empty());
    assert_eq!(scan(store, limited(2)).await, ["aa", "bb"]);
    assert_eq!(scan(store, limited(2).reverse()).await, ["dd", "cc"]);
    assert_eq!(scan(store, limited(9).max_bytes(0)).await, ["aa"]);
    assert_eq!(scan(store, limited(9).max_bytes(2)).await, ["aa"]);
    assert_eq!(scan(store, limited(9).max_bytes(3)).await, ["aa", "bb"]);
    assert_eq!(scan(store, limited(9).max_bytes(4).reverse()).await, ["dd", "cc"]);
    assert_eq!(scan(store, limited(9).max_bytes(100)).await, ["aa", "bb", "cc", "dd"]);
}

pub async fn rows_are_ordered_by_bytes(store: &Store, _: &ManualClock) {
    let rows: [&[u8]; 6] = [b"\xff", b"a", b"", b"\x00", b"ab", b"\x00\xff"];
    put_rows(store, Table::Device, &rows).await;
    let ordered: [&[u8]; 6] = [b"", b"\x00", b"\x00\xff", b"a", b"ab", b"\xff"];
    assert_eq!(scan(store, all(Table::Device)).await, ordered);
}

pub async fn a_batch_is_atomic(store: &Store, _: &ManualClock) {
    let mut large = batch();
    for row in 0..limit::BATCH_MAX_ROWS as u16 {
        large = large.put(Table::Device, row.to_be_bytes(), "1");
    }
    let reader = async {
        loop {
            let seen = scan(store, all(Table::Device)).await.len();
            assert!(seen == 0 || seen == limit::BATCH_MAX_ROWS, "a reader saw {seen} rows of a batch");
            if seen > 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let (committed, ()) = tokio::join!(store.commit(large), reader);
    committed.unwrap();
}

/// A table whose values are small and one whose values are large lie differently in some engines.
const BOTH: [Table; 2] = [Table::Roster, Table::KeyPackage];

async fn commit_one(store: &Store, table: Table, assert: Assert, value: &'static str) -> Result<(), CommitError> {
    let batch = Batch::new(table.family(), PARTITION);
    store.commit(batch.assert(table, b"row", assert).put(table, b"row", value)).await
}

pub async fn absent_holds_for_rows_that_are_not_there(store: &Store, _: &ManualClock) {
    for table in BOTH.into_iter().chain([Table::Sent, Table::Head, Table::Device]) {
        assert_eq!(commit_one(store, table, Assert::Absent, "1").await, Ok(()));
        assert_eq!(commit_one(store, table, Assert::Absent, "2").await, Err(CommitError::Conflict(0)));
        assert_eq!(get(store, table, b"row").await, Some("1".into()));
    }
    // About a row that the batch does not write.
    let other = || batch().assert(Table::Device, b"row", Assert::Absent).put(Table::Device, b"other", "");
    assert_eq!(store.commit(other()).await, Err(CommitError::Conflict(0)));
    store.commit(batch().delete(Table::Device, b"row")).await.unwrap();
    assert_eq!(store.commit(other()).await, Ok(()));
}

pub async fn present_holds_for_rows_that_are_there(store: &Store, _: &ManualClock) {
    for table in BOTH.into_iter().chain([Table::Sent, Table::Device]) {
        assert_eq!(commit_one(store, table, Assert::Present, "1").await, Err(CommitError::Conflict(0)));
        assert_eq!(get(store, table, b"row").await, None);
        assert_eq!(commit_one(store, table, Assert::Absent, "2").await, Ok(()));
        assert_eq!(commit_one(store, table, Assert::Present, "3").await, Ok(()));
        assert_eq!(get(store, table, b"row").await, Some("3".into()));
    }
}

pub async fn equals_holds_for_the_same_bytes(store: &Store, _: &ManualClock) {
    for table in BOTH.into_iter().chain([Table::Sent, Table::Head, Table::Device]) {
        let equals = |value: &'static str| Assert::Equals(value.into());
        assert_eq!(commit_one(store, table, equals(""), "1").await, Err(CommitError::Conflict(0)));
        assert_eq!(commit_one(store, table, Assert::Absent, "").await, Ok(()));
        assert_eq!(commit_one(store, table, equals(""), "1").await, Ok(()));
        assert_eq!(commit_one(store, table, equals("11"), "2").await, Err(CommitError::Conflict(0)));
        assert_eq!(commit_one(store, table, equals("1"), "1").await, Ok(()));
        assert_eq!(commit_one(store, table, equals("1"), "3").await, Ok(()));
        assert_eq!(get(store, table, b"row").await, Some("3".into()));
    }
}

pub async fn a_conflict_names_the_first_assert_that_fails(store: &Store, _: &ManualClock) {
    store.commit(batch().put(Table::Device, b"a", "1").put(Table::Device, b"b", "2")).await.unwrap();
    let asserts = [
        (b"a", Assert::Equals("1".into()), Assert::Equals("2".into())),
        (b"b", Assert::Present, Assert::Absent),
        (b"c", Assert::Absent, Assert::Present),
        (b"d", Assert::Absent, Assert::Equals("".into())),
        (b"b", Assert::Equals("2".into()), Assert::Equals("3".into())),
    ];
    // Every choice of asserts that fail, over rows that the batch puts and rows that it does not.
    for failing in 1..1_u32 << asserts.len() {
        for put in 0..1 << 4 {
            let mut batch = batch();
            for (index, (row, holds, fails)) in asserts.iter().enumerate() {
                let assert = if failing >> index & 1 == 1 { fails } else { holds };
                batch = batch.assert(Table::Device, row, assert.clone());
            }
            for (index, row) in [b"a", b"b", b"c", b"d"].iter().enumerate().filter(|(index, _)| put >> index & 1 == 1) {
                batch = batch.put(Table::Device, row, index.to_string());
            }
            let first = failing.trailing_zeros() as usize;
            assert_eq!(store.commit(batch).await, Err(CommitError::Conflict(first)), "{failing:b} {put:b}");
        }
    }
    assert_eq!(scan(store, all(Table::Device)).await, ["a", "b"]);
    assert_eq!(get(store, Table::Device, b"a").await, Some("1".into()));
}

pub async fn a_conflict_writes_nothing(store: &Store, clock: &ManualClock) {
    let expires_ms = clock.now_ms() + 10;
    store
        .commit(batch().put(Table::Device, b"a", "1").put_until(Table::Device, b"old", "2", expires_ms))
        .await
        .unwrap();
    clock.advance(10);
    let doomed = batch()
        .assert(Table::Device, b"b", Assert::Absent)
        .assert(Table::Device, b"old", Assert::Absent)
        .assert(Table::Device, b"a", Assert::Equals("other".into()))
        .put(Table::Device, b"b", "3")
        .put(Table::Device, b"old", "4")
        .put(Table::Device, b"c", "5")
        .put(Table::Device, b"a", "6")
        .put(Table::Membership, b"m", "7");
    assert_eq!(store.commit(doomed).await, Err(CommitError::Conflict(2)));
    assert_eq!(scan(store, all(Table::Device)).await, ["a"]);
    assert!(scan(store, all(Table::Membership)).await.is_empty());
    assert_eq!(get(store, Table::Device, b"a").await, Some("1".into()));
}

pub async fn a_batch_sees_what_was_committed_before_it(store: &Store, _: &ManualClock) {
    put_rows(store, Table::Account, &[b""]).await;
    let next = |value: &str, next: &str| {
        let assert = Assert::Equals(value.to_string().into());
        store.commit(batch().assert(Table::Account, b"", assert).put(Table::Account, b"", next.to_string()))
    };
    let (first, second, third) = tokio::join!(next("", "1"), next("1", "2"), next("", "3"));
    assert_eq!((first, second, third), (Ok(()), Ok(()), Err(CommitError::Conflict(0))));
    assert_eq!(get(store, Table::Account, b"").await, Some("2".into()));
}

pub async fn of_rivals_for_one_row_one_wins(store: &Store, _: &ManualClock) {
    const RIVALS: u8 = 32;
    for round in 0..8u8 {
        let rivals: Vec<_> = (0..RIVALS)
            .map(|rival| {
                let batch = batch()
                    .assert(Table::Device, [round], Assert::Absent)
                    .put(Table::Device, [round], vec![rival])
                    .put(Table::Membership, [round, rival], "");
                let store = store.clone();
                tokio::spawn(async move { (rival, store.commit(batch).await) })
            })
            .collect();
        let mut winners = Vec::new();
        for rival in rivals {
            match rival.await.unwrap() {
                (rival, Ok(())) => winners.push(rival),
                (_, result) => assert_eq!(result, Err(CommitError::Conflict(0))),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(get(store, Table::Device, &[round]).await, Some(winners.clone().into()));
        let traces = scan(store, all(Table::Membership).from([round]).until([round + 1])).await;
        assert_eq!(traces, [vec![round, winners[0]]]);
    }
}

pub async fn deleted_rows_are_gone(store: &Store, _: &ManualClock) {
    for table in BOTH {
        put_rows(store, table, &[b"a", b"b", b"c"]).await;
        let batch = || Batch::new(table.family(), PARTITION);
        store.commit(batch().delete(table, b"b").delete(table, b"never")).await.unwrap();
        assert_eq!(get(store, table, b"b").await, None);
        assert_eq!(scan(store, all(table)).await, ["a", "c"]);
        store.commit(batch().assert(table, b"b", Assert::Absent).put(table, b"b", "new")).await.unwrap();
        assert_eq!(get(store, table, b"b").await, Some("new".into()));
        let twice = batch().assert(table, b"a", Assert::Equals("a".into())).delete(table, b"a");
        store.commit(twice.clone()).await.unwrap();
        assert_eq!(store.commit(twice).await, Err(CommitError::Conflict(0)));
    }
}

pub async fn expired_rows_are_gone_for_every_verb(store: &Store, clock: &ManualClock) {
    for table in BOTH {
        let expires_ms = clock.now_ms() + 100;
        let batch = || Batch::new(table.family(), PARTITION);
        let put = batch()
            .put(table, b"a", "1")
            .put_until(table, b"b", "2", expires_ms)
            .put_until(table, b"d", "4", expires_ms);
        store.commit(put.put(table, b"c", "3")).await.unwrap();
        clock.advance(99);
        assert_eq!(scan(store, all(table)).await, ["a", "b", "c", "d"]);
        clock.advance(1);
        assert_eq!(get(store, table, b"b").await, None);
        let keys = [b"a", b"b"].map(|row| Key::new(table, PARTITION, row));
        assert_eq!(store.get_many(&keys).await.unwrap(), [Some("1".into()), None]);
        assert_eq!(scan(store, all(table)).await, ["a", "c"]);
        assert_eq!(scan(store, all(table).reverse()).await, ["c", "a"]);
        assert_eq!(scan(store, Scan::all(table, PARTITION, 2)).await, ["a", "c"]);
        for assert in [Assert::Present, Assert::Equals("2".into())] {
            let put = batch().assert(table, b"b", assert.clone()).put(table, b"b", "no");
            assert_eq!(store.commit(put).await, Err(CommitError::Conflict(0)), "{assert:?}");
        }
        store.commit(batch().assert(table, b"b", Assert::Absent).put(table, b"b", "5")).await.unwrap();
        store.commit(batch().assert(table, b"d", Assert::Absent).put(table, b"c", "6")).await.unwrap();
        assert_eq!(get(store, table, b"b").await, Some("5".into()));
        clock.advance(1_000_000);
        assert_eq!(get(store, table, b"b").await, Some("5".into()));
    }
}

pub async fn a_row_that_is_put_again_has_its_new_expiry(store: &Store, clock: &ManualClock) {
    let soon = clock.now_ms() + 10;
    let put = |row: &'static [u8], expires_ms: Option<u64>| match expires_ms {
        Some(expires_ms) => batch().put_until(Table::Device, row, "", expires_ms),
        None => batch().put(Table::Device, row, ""),
    };
    for batch in [put(b"a", Some(soon)), put(b"a", None), put(b"b", None), put(b"b", Some(soon))] {
        store.commit(batch).await.unwrap();
    }
    store.commit(put(b"c", Some(u64::MAX))).await.unwrap();
    clock.advance(10);
    assert_eq!(scan(store, all(Table::Device)).await, ["a", "c"]);
}

pub async fn a_sweep_takes_only_what_has_expired(store: &Store, clock: &ManualClock) {
    let day_ms = 24 * 60 * 60 * 1_000;
    let now_ms = clock.now_ms();
    for table in BOTH {
        let rows: [(&[u8], u64); 3] = [(b"a", now_ms + 5), (b"b", now_ms + day_ms / 2), (b"c", now_ms + 5)];
        let batch = || Batch::new(table.family(), PARTITION);
        let put = rows.iter().fold(batch(), |batch, (row, at)| batch.put_until(table, row, "", *at));
        store.commit(put.put(table, b"d", "")).await.unwrap();
        store.commit(batch().put_until(table, b"c", "", now_ms + 2 * day_ms)).await.unwrap();
    }
    assert_eq!(store.sweep().await.unwrap(), 0);
    clock.advance(day_ms);
    assert_eq!(store.sweep().await.unwrap(), 4);
    assert_eq!(store.sweep().await.unwrap(), 0);
    assert_eq!(store.stats().swept, 4);
    for table in BOTH {
        assert_eq!(scan(store, all(table)).await, ["c", "d"]);
    }
}

pub async fn tables_and_partitions_do_not_leak(store: &Store, clock: &ManualClock) {
    for table in Table::ALL {
        for partition in [&b"p"[..], b"pp", b""] {
            let value = [&[table as u8], partition].concat();
            match table.mode() {
                crate::table::Mode::Commit => {
                    let batch = Batch::new(table.family(), partition);
                    store.commit(batch.put(table, b"row", value)).await.unwrap();
                }
                crate::table::Mode::Merge => {
                    store.merge(vec![MergeRow::new(table, partition, b"row", 1, value)]).await.unwrap();
                }
            }
        }
    }
    clock.advance(2_000);
    for table in Table::ALL {
        for partition in [&b"p"[..], b"pp", b""] {
            let value: Bytes = [&[table as u8], partition].concat().into();
            assert_eq!(store.get(&Key::new(table, partition, b"row")).await.unwrap(), Some(value.clone()), "{table:?}");
            if table.access() == crate::table::Access::Scan {
                let rows = store.scan(&Scan::all(table, partition, 10)).await.unwrap();
                assert_eq!(rows, [Row { row: "row".into(), value }], "{table:?}");
            }
        }
    }
}

pub async fn keys_may_be_empty_or_long(store: &Store, _: &ManualClock) {
    let long = [0xff; limit::ROW_KEY_MAX_BYTES];
    for partition in [&b""[..], &long] {
        store.commit(Batch::new(Family::Account, partition).put(Table::Account, b"", "1")).await.unwrap();
        store.commit(Batch::new(Family::Account, partition).put(Table::Account, long, "2")).await.unwrap();
        assert_eq!(store.get(&Key::new(Table::Account, partition, b"")).await.unwrap(), Some("1".into()));
        let rows = store.scan(&Scan::all(Table::Account, partition, 10)).await.unwrap();
        let rows: Vec<&[u8]> = rows.iter().map(|row| &row.row[..]).collect();
        assert_eq!(rows, [&b""[..], &long]);
    }
}

pub async fn large_values_come_back_whole(store: &Store, _: &ManualClock) {
    let value: Bytes = (0..limit::VALUE_MAX_BYTES).map(|index| (index % 251) as u8).collect();
    for table in [Table::Entry, Table::Roster, Table::Device] {
        let batch = Batch::new(table.family(), PARTITION);
        store.commit(batch.put(table, b"a", value.clone()).put(table, b"b", value.clone())).await.unwrap();
        assert!(get(store, table, b"b").await == Some(value.clone()));
        let rows = store.scan(&all(table).max_bytes(1)).await.unwrap();
        assert!(rows.len() == 1 && rows[0].value == value);
    }
}

pub async fn merged_rows_are_seen_at_once(store: &Store, clock: &ManualClock) {
    let merge = |version, value: &'static str| {
        store.merge(vec![MergeRow::new(Table::Cursor, PARTITION, b"row", version, value)])
    };
    for (version, value, seen) in [(5, "5", "5"), (4, "4", "5"), (6, "6", "6"), (0, "0", "6"), (u64::MAX, "max", "max")]
    {
        merge(version, value).await.unwrap();
        assert_eq!(get(store, Table::Cursor, b"row").await, Some(seen.into()));
        assert_eq!(store.scan(&all(Table::Cursor)).await.unwrap(), [Row { row: "row".into(), value: seen.into() }]);
        clock.advance(600);
    }
}

pub async fn merged_rows_are_scanned_in_order(store: &Store, _: &ManualClock) {
    let merge = |row| MergeRow::new(Table::Delivered, PARTITION, row, 1, "12");
    store.merge(["4", "1", "3", "0", "2"].map(merge).to_vec()).await.unwrap();
    let all = || all(Table::Delivered);
    assert_eq!(scan(store, all()).await, ["0", "1", "2", "3", "4"]);
    assert_eq!(scan(store, all().reverse().max_bytes(3)).await, ["4", "3"]);
    assert_eq!(scan(store, Scan::all(Table::Delivered, PARTITION, 2).from("1")).await, ["1", "2"]);
    assert_eq!(scan(store, all().from("1").until("3")).await, ["1", "2"]);
    assert!(scan(store, all().from("3").until("1")).await.is_empty());
}

pub async fn merged_rows_that_were_deleted_do_not_come_back(store: &Store, clock: &ManualClock) {
    for wait_ms in [0, MERGE_DELAY_MAX_MS] {
        let merge = |row| MergeRow::new(Table::Delivered, PARTITION, row, 1, "12");
        store.merge(vec![merge("gone"), merge("kept")]).await.unwrap();
        clock.advance(wait_ms);
        // Waiting for the disk, or there already.
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        let batch = || Batch::new(Table::Delivered.family(), PARTITION).delete(Table::Delivered, "gone");
        store.commit(batch()).await.unwrap();
        assert_eq!(scan(store, all(Table::Delivered)).await, ["kept"]);
        store.merge(vec![merge("other")]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        assert_eq!(scan(store, all(Table::Delivered)).await, ["kept", "other"]);
        store.commit(batch().delete(Table::Delivered, "other")).await.unwrap();
    }
}

/// Merges rows of `(row, version)` in the order given, some of them in one call, and looks at what stands.
pub async fn merges_commute(store: &Store, clock: &ManualClock, merges: &[(u8, u64)], at: usize) {
    // Of two with the same version either stands, so the value is the version.
    let row = |(row, version): &(u8, u64)| MergeRow::new(Table::Read, PARTITION, [*row], *version, version.to_string());
    let (together, alone) = merges.split_at(at.min(merges.len()));
    store.merge(together.iter().map(row).collect()).await.unwrap();
    for merge in alone {
        clock.advance(300);
        store.merge(vec![row(merge)]).await.unwrap();
    }
    let mut expected: BTreeMap<u8, u64> = BTreeMap::new();
    for (row, version) in merges {
        expected.entry(*row).and_modify(|highest| *highest = (*highest).max(*version)).or_insert(*version);
    }
    let rows = store.scan(&all(Table::Read)).await.unwrap();
    let found: Vec<(u8, String)> =
        rows.iter().map(|row| (row.row[0], String::from_utf8(row.value.to_vec()).unwrap())).collect();
    assert_eq!(found, expected.into_iter().map(|(row, version)| (row, version.to_string())).collect::<Vec<_>>());
}

pub async fn a_closed_store_answers_nothing(store: &Store, _: &ManualClock) {
    put_rows(store, Table::Device, &[b"a"]).await;
    let clone = store.clone();
    store.close().await.unwrap();
    let key = Key::new(Table::Device, PARTITION, b"a");
    let row = || MergeRow::new(Table::Cursor, PARTITION, b"row", 1, "");
    assert!(matches!(clone.get(&key).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(clone.get_many(&[key]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(clone.scan(&all(Table::Device)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(clone.merge(vec![row()]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(clone.sweep().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(clone.close().await, Err(StoreError::Unavailable(_))));
    let put = batch().put(Table::Device, b"a", "");
    assert!(matches!(clone.commit(put).await, Err(CommitError::Store(StoreError::Unavailable(_)))));
}
