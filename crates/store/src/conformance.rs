//! What every engine must do: plain functions that panic where it does not.
//!
//! An engine's test says `tidings_store::conformance_tests!(open)`, where `open` gives an empty store, the clock that it
//! goes by, and whatever must live as long as the store (a folder); each function of the list becomes a test.

mod commit;
mod expiry;
mod merge;

pub use commit::*;
pub use expiry::*;
pub use merge::*;

use crate::batch::{Batch, MergeRow};
use crate::clock::ManualClock;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Row, Scan};
use crate::store::Store;
use crate::table::{Family, Table};
use bytes::Bytes;
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

/// A table whose values are small and one whose values are large lie differently in some engines.
const BOTH: [Table; 2] = [Table::Roster, Table::KeyPackage];

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
