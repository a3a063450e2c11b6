//! Batches: all or nothing, and only if their asserts hold.

use super::{BOTH, PARTITION, all, batch, get, put_rows, scan};
use crate::batch::{Assert, Batch};
use crate::clock::ManualClock;
use crate::error::CommitError;
use crate::store::Store;
use crate::table::Table;
use tidings_proto::limit;

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
