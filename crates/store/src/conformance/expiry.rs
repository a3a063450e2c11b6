//! Rows that go by themselves.

use super::{BOTH, PARTITION, all, batch, get, scan};
use crate::batch::{Assert, Batch};
use crate::clock::ManualClock;
use crate::error::CommitError;
use crate::key::{Key, Scan};
use crate::store::Store;
use crate::table::Table;

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
