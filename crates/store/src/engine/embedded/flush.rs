//! Moves what the journal holds into the trees, a part with each transaction.

use super::memtable::{Cells, Memtable, Position};
use super::rows::Rows;
use super::{EmbeddedOptions, journal};
use rusqlite::Connection;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The active rows are frozen when they have this many bytes, or as many rows as [`EmbeddedOptions`] says,
const FREEZE_BYTES: usize = 16 * 1024 * 1024;
/// or the first of them is this old, so that little is left to read at the next start.
const FREEZE_AGE: Duration = Duration::from_secs(10);
/// Rows that a transaction moves which has nothing else to do. One that has moves as many as it adds, so that the frozen
/// rows are gone before the next ones are due, and some more.
const IDLE_ROWS: usize = 256;
/// A transaction that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// How far the way into the trees is.
#[derive(Debug)]
pub struct Flush {
    options: EmbeddedOptions,
    /// Rows and bytes that became active since the last freeze, and when the first of them did.
    rows: usize,
    bytes: usize,
    since: Option<Instant>,
    moving: Option<Moving>,
    retry_at: Option<Instant>,
}

/// Frozen rows on their way.
#[derive(Debug)]
struct Moving {
    frozen: Arc<Cells>,
    /// The last that is in its tree.
    last: Option<Position>,
    /// The journal's row up to which it says nothing else.
    journal_id: i64,
}

/// How far the transaction under way moves, once it is durable.
#[derive(Debug)]
pub enum Step {
    Nothing,
    To(Position),
    End,
}

impl Flush {
    pub fn new(options: EmbeddedOptions) -> Self {
        Self { options, rows: 0, bytes: 0, since: None, moving: None, retry_at: None }
    }

    /// Rows became active.
    pub fn added(&mut self, rows: usize, bytes: usize) {
        if rows > 0 {
            self.since.get_or_insert_with(Instant::now);
            self.rows += rows;
            self.bytes += bytes;
        }
    }

    /// Freezes the active rows if there are enough, or `now`. Returns whether any are on their way.
    pub fn freeze(&mut self, memtable: &Memtable, journal_id: i64, now: bool) -> bool {
        let is_due = |since: Instant| now || since.elapsed() >= FREEZE_AGE;
        let is_due =
            self.rows >= self.options.memtable_rows || self.bytes >= FREEZE_BYTES || self.since.is_some_and(is_due);
        if self.moving.is_none() && is_due {
            self.moving = Some(Moving { frozen: memtable.freeze(), last: None, journal_id });
            (self.rows, self.bytes, self.since) = (0, 0, None);
        }
        self.moving.is_some()
    }

    /// When there is something to do; `None`: nothing waits.
    pub fn due_at(&self) -> Option<Instant> {
        let now = self.moving.as_ref().map(|_| Instant::now());
        let due_at = now.or_else(|| self.since.map(|since| since + FREEZE_AGE))?;
        Some(self.retry_at.map_or(due_at, |retry_at| retry_at.max(due_at)))
    }

    /// Moves some rows, inside of a transaction that adds `added`.
    pub fn step(&self, rows: &mut Rows, connection: &Connection, added: usize) -> rusqlite::Result<Step> {
        let Some(moving) = &self.moving else { return Ok(Step::Nothing) };
        let start = moving.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut left = moving.frozen.range((start, Bound::Unbounded));
        let count = if added > 0 { added + added / 2 } else { IDLE_ROWS };
        let mut last = None;
        for (position, cell) in left.by_ref().take(count) {
            rows.write(position, cell)?;
            last = Some(position);
        }
        if let (Some(last), true) = (last, left.next().is_some()) {
            return Ok(Step::To(last.clone()));
        }
        journal::forget(connection, moving.journal_id)?;
        Ok(Step::End)
    }

    /// The transaction is durable.
    pub fn stepped(&mut self, step: Step, memtable: &Memtable) {
        self.retry_at = None;
        match step {
            Step::Nothing => {}
            Step::To(position) => self.moving.as_mut().expect("it moved").last = Some(position),
            Step::End => {
                self.moving = None;
                memtable.drop_frozen();
            }
        }
    }

    /// The transaction failed.
    pub fn failed(&mut self) {
        self.retry_at = Some(Instant::now() + RETRY);
    }
}
