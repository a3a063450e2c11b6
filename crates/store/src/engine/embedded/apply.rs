//! One batch inside the writer's transaction: all of it or nothing.
//!
//! Most batches assert "absent" or "equals" of a row that they put. The statement that puts such a row finds out whether
//! the assert holds, which saves a look-up (the two are *fused*). Rows that must be absent are inserted first, then one
//! row at most is replaced, so there is never more to undo than rows that were not there before.

use super::rows::Rows;
use super::schema::is_heaped;
use crate::batch::{Assert, Batch, Change, Changed};
use crate::key::RowKey;
use crate::table::Table;
use bytes::Bytes;
use tidings_proto::limit;

/// Returns the number of the first assert that does not hold; then nothing was written.
pub fn apply(rows: &mut Rows, batch: &Batch, now_ms: i64) -> rusqlite::Result<Result<(), usize>> {
    let plan = Plan::of(batch);
    for (asserted, fused) in batch.asserts.iter().zip(plan.fused) {
        if !fused && !holds(rows, batch, asserted, now_ms)? {
            return first_that_fails(rows, batch, now_ms);
        }
    }
    for (index, changed) in plan.inserts(batch).enumerate() {
        if !insert(rows, batch, changed, now_ms)? {
            undo(rows, batch, plan.inserts(batch).take(index))?;
            return first_that_fails(rows, batch, now_ms);
        }
    }
    if let Some(changed) = plan.replaced
        && !replace(rows, batch, changed, now_ms)?
    {
        undo(rows, batch, plan.inserts(batch))?;
        return first_that_fails(rows, batch, now_ms);
    }
    for changed in batch.changes.iter().filter(|changed| !plan.is_fused(changed)) {
        rows.change(changed.table, &batch.partition, &changed.row, &changed.change)?;
    }
    Ok(Ok(()))
}

struct Plan<'b> {
    /// One for each assert.
    fused: [bool; limit::BATCH_MAX_ROWS],
    replaced: Option<&'b Changed>,
}

impl<'b> Plan<'b> {
    fn of(batch: &'b Batch) -> Self {
        let mut plan = Self { fused: [false; limit::BATCH_MAX_ROWS], replaced: None };
        for changed in &batch.changes {
            let (Some(assert), Change::Put { .. }) = (changed.assert, &changed.change) else { continue };
            if is_heaped(changed.table) {
                continue;
            }
            match batch.asserts[assert].2 {
                Assert::Absent => plan.fused[assert] = true,
                Assert::Equals(_) if plan.replaced.is_none() => {
                    plan.fused[assert] = true;
                    plan.replaced = Some(changed);
                }
                Assert::Equals(_) | Assert::Present => {}
            }
        }
        plan
    }

    fn is_fused(&self, changed: &Changed) -> bool {
        changed.assert.is_some_and(|assert| self.fused[assert])
    }

    fn inserts(&self, batch: &'b Batch) -> impl Iterator<Item = &'b Changed> {
        let is_absent =
            |changed: &Changed| changed.assert.is_some_and(|assert| batch.asserts[assert].2 == Assert::Absent);
        batch.changes.iter().filter(move |changed| self.is_fused(changed) && is_absent(changed))
    }
}

fn insert(rows: &mut Rows, batch: &Batch, changed: &Changed, now_ms: i64) -> rusqlite::Result<bool> {
    let (value, expires_ms) = put(changed);
    rows.insert(changed.table, &batch.partition, &changed.row, value, expires_ms, now_ms)
}

fn replace(rows: &mut Rows, batch: &Batch, changed: &Changed, now_ms: i64) -> rusqlite::Result<bool> {
    let (value, expires_ms) = put(changed);
    let Some((_, _, Assert::Equals(expected))) = changed.assert.map(|assert| &batch.asserts[assert]) else {
        unreachable!("the plan replaces what is asserted to be equal");
    };
    rows.replace(changed.table, &batch.partition, &changed.row, (expected, value), expires_ms, now_ms)
}

fn put(changed: &Changed) -> (&Bytes, Option<u64>) {
    match &changed.change {
        Change::Put { value, expires_ms } => (value, *expires_ms),
        Change::Delete => unreachable!("only puts are fused"),
    }
}

fn undo<'b>(rows: &mut Rows, batch: &Batch, inserted: impl Iterator<Item = &'b Changed>) -> rusqlite::Result<()> {
    for changed in inserted {
        rows.delete(changed.table, &batch.partition, &changed.row)?;
    }
    Ok(())
}

fn holds(
    rows: &mut Rows,
    batch: &Batch,
    (table, row, assert): &(Table, RowKey, Assert),
    now_ms: i64,
) -> rusqlite::Result<bool> {
    let value = rows.get(*table, &batch.partition, row, now_ms)?;
    Ok(match assert {
        Assert::Absent => value.is_none(),
        Assert::Present => value.is_some(),
        Assert::Equals(expected) => value.as_deref() == Some(expected),
    })
}

fn first_that_fails(rows: &mut Rows, batch: &Batch, now_ms: i64) -> rusqlite::Result<Result<(), usize>> {
    for (index, asserted) in batch.asserts.iter().enumerate() {
        if !holds(rows, batch, asserted, now_ms)? {
            return Ok(Err(index));
        }
    }
    unreachable!("one of them failed, and nothing has changed since")
}
