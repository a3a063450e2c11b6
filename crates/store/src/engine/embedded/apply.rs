//! One batch inside the writer's transaction: all of it or nothing.
//!
//! Asserts are held against what earlier batches left, then the changes are staged. Only of a row that is written to the
//! file at once and must be absent, the statement that inserts it finds out whether it is (the two are *fused*), which
//! saves a look-up. Those come before all other changes, so there is never more to undo than rows that were not there.

use super::memtable::Memtable;
use super::schema::is_direct;
use super::stage::Stage;
use crate::batch::{Assert, Batch, Change, Changed};
use crate::key::RowKey;
use crate::table::Table;
use bytes::Bytes;
use tidings_proto::limit;

/// Returns the number of the first assert that does not hold; then nothing was written.
pub fn apply(
    stage: &mut Stage,
    memtable: &Memtable,
    batch: &Batch,
    now_ms: u64,
) -> rusqlite::Result<Result<(), usize>> {
    let fused = Fused::of(batch);
    for (asserted, is_fused) in batch.asserts.iter().zip(fused.0) {
        if !is_fused && !holds(stage, memtable, batch, asserted, now_ms)? {
            return first_that_fails(stage, memtable, batch, now_ms);
        }
    }
    for (index, changed) in fused.of_batch(batch).enumerate() {
        let inserted = stage.rows.insert(changed.table, &batch.partition, &changed.row, put(changed), now_ms)?;
        if !inserted {
            for changed in fused.of_batch(batch).take(index) {
                stage.rows.delete(changed.table, &batch.partition, &changed.row)?;
            }
            return first_that_fails(stage, memtable, batch, now_ms);
        }
    }
    for changed in batch.changes.iter().filter(|changed| !fused.has(changed)) {
        stage.change(changed.table, &batch.partition, &changed.row, &changed.change)?;
    }
    Ok(Ok(()))
}

/// Whether each of the asserts is fused with a change.
struct Fused([bool; limit::BATCH_MAX_ROWS]);

impl Fused {
    fn of(batch: &Batch) -> Self {
        let mut fused = [false; limit::BATCH_MAX_ROWS];
        for changed in batch.changes.iter().filter(|changed| is_direct(changed.table)) {
            if let (Some(assert), Change::Put { .. }) = (changed.assert, &changed.change) {
                fused[assert] = batch.asserts[assert].2 == Assert::Absent;
            }
        }
        Self(fused)
    }

    fn has(&self, changed: &Changed) -> bool {
        changed.assert.is_some_and(|assert| self.0[assert])
    }

    fn of_batch<'b>(&self, batch: &'b Batch) -> impl Iterator<Item = &'b Changed> {
        batch.changes.iter().filter(|changed| self.has(changed))
    }
}

fn put(changed: &Changed) -> (&[u8], Option<u64>) {
    match &changed.change {
        Change::Put { value, expires_ms } => (value, *expires_ms),
        Change::Delete => unreachable!("only puts are fused"),
    }
}

fn holds(
    stage: &mut Stage,
    memtable: &Memtable,
    batch: &Batch,
    (table, row, assert): &(Table, RowKey, Assert),
    now_ms: u64,
) -> rusqlite::Result<bool> {
    let value: Option<Bytes> = stage.get(memtable, (*table, &batch.partition, row), now_ms)?;
    Ok(match assert {
        Assert::Absent => value.is_none(),
        Assert::Present => value.is_some(),
        Assert::Equals(expected) => value.as_ref() == Some(expected),
    })
}

fn first_that_fails(
    stage: &mut Stage,
    memtable: &Memtable,
    batch: &Batch,
    now_ms: u64,
) -> rusqlite::Result<Result<(), usize>> {
    for (index, asserted) in batch.asserts.iter().enumerate() {
        if !holds(stage, memtable, batch, asserted, now_ms)? {
            return Ok(Err(index));
        }
    }
    unreachable!("one of them failed, and nothing has changed since")
}
