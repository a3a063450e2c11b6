//! Merged rows: the highest version wins, in whatever order they come.

use super::{PARTITION, all, get, scan};
use crate::batch::MergeRow;
use crate::clock::ManualClock;
use crate::key::{Row, Scan};
use crate::store::Store;
use crate::table::Table;
use std::collections::BTreeMap;

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
