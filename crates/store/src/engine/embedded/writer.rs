//! The writer: one thread that makes batches durable, as many with one fsync as wait for it.
//!
//! While one transaction reaches the disk the next batches gather, so the disk's own speed decides how many share a
//! transaction, and no timer is needed. Between transactions the writer takes merged rows along that are due, sweeps, and
//! gives space back.

use super::apply::apply;
use super::meter::Meter;
use super::overlay::{Merged, Overlay};
use super::queue::{Job, Queue, SweepAnswer};
use super::rows::{Rows, to_sql_ms};
use super::sweep::{self, Expiries};
use super::{failed, priority};
use crate::clock::Clock;
use crate::error::{CommitError, StoreError};
use crate::key::Key;
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Rows that one transaction changes, but for its last batch; so nobody waits long behind a crowd.
const GROUP_MAX_ROWS: usize = 8_192;
/// Merged rows are written this long after the first of them came; the rest of `MERGE_DELAY_MAX_MS` is for the disk.
pub const FLUSH_DELAY: Duration = Duration::from_millis(700);
/// A failed flush is tried again after this.
const FLUSH_RETRY: Duration = Duration::from_millis(200);
/// How often the writer looks for expired rows, and how long it rests after a step that found some.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
const SWEEP_REST: Duration = Duration::from_millis(20);

/// What the writer shares with its callers.
#[derive(Debug)]
pub struct Shared {
    pub queue: Queue,
    pub overlay: Overlay,
    pub meter: Meter,
    pub clock: Clock,
}

struct Writer<'c> {
    shared: Arc<Shared>,
    connection: &'c Connection,
    rows: Rows<'c>,
    expiries: Expiries,
    last_expiry_id: i64,
    sweep_at: Instant,
    /// Sweeps that somebody waits for, and what they have removed.
    sweeps: Vec<SweepAnswer>,
    swept: u64,
    /// Free pages were given back, and the file is not yet shorter.
    is_shrinking: bool,
}

/// Runs until the queue is closed. `ready` hears whether it could begin.
pub fn run(connection: Connection, shared: Arc<Shared>, ready: std::sync::mpsc::Sender<Result<(), StoreError>>) {
    priority::raise();
    let _end = End(&shared.queue);
    match Writer::new(&connection, shared.clone()) {
        Ok(mut writer) => {
            // Whoever opened the store waits for this.
            let _ = ready.send(Ok(()));
            writer.run();
        }
        Err(error) => {
            let _ = ready.send(Err(failed(error)));
        }
    }
}

/// Even if the writer panics, nobody waits for it for ever.
struct End<'q>(&'q Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, shared: Arc<Shared>) -> rusqlite::Result<Self> {
        Ok(Self {
            shared,
            connection,
            rows: Rows::new(connection)?,
            expiries: Expiries::default(),
            last_expiry_id: sweep::last_id(connection)?,
            sweep_at: Instant::now() + SWEEP_INTERVAL,
            sweeps: Vec::new(),
            swept: 0,
            is_shrinking: false,
        })
    }

    fn run(&mut self) {
        let mut jobs = Vec::new();
        loop {
            let until = if self.sweeps.is_empty() { self.sweep_at } else { Instant::now() };
            let orders = self.shared.queue.take(&mut jobs, until);
            self.sweeps.extend(orders.sweeps);
            let mut is_flush_due = orders.is_flush_due;
            while !jobs.is_empty() || is_flush_due {
                let group = group(&jobs);
                let merges = if is_flush_due { self.shared.overlay.begin_flush() } else { Vec::new() };
                is_flush_due = self.transaction(jobs.drain(..group), &merges, is_flush_due) && orders.is_closed;
            }
            if orders.is_closed {
                break;
            }
            if !self.sweeps.is_empty() || Instant::now() >= self.sweep_at {
                self.sweep();
            }
        }
        for sweep in self.sweeps.drain(..) {
            let _ = sweep.send(Err(super::closed()));
        }
    }

    /// Carries out batches and answers them; returns whether merged rows still wait.
    fn transaction(&mut self, jobs: impl Iterator<Item = Job>, merges: &[(Key, Merged)], is_flush: bool) -> bool {
        let jobs: Vec<Job> = jobs.collect();
        let mut conflicts = Vec::with_capacity(jobs.len());
        let result = self.write(&jobs, merges, &mut conflicts);
        let more = is_flush && self.shared.overlay.end_flush(result.is_ok());
        if more {
            let delay = if result.is_ok() { Duration::ZERO } else { FLUSH_RETRY };
            self.shared.queue.flush_at(Instant::now() + delay);
        }
        let meter = &self.shared.meter;
        if result.is_ok() {
            let has_written = !merges.is_empty() || conflicts.iter().any(Option::is_none);
            meter.fsyncs.fetch_add(has_written.into(), Relaxed);
            meter.merges_flushed.fetch_add(merges.len() as u64, Relaxed);
        } else {
            meter.failures.fetch_add(1, Relaxed);
        }
        let may_go_on = result.is_ok();
        self.answer(jobs, conflicts, result);
        more && may_go_on
    }

    fn write(
        &mut self,
        jobs: &[Job],
        merges: &[(Key, Merged)],
        conflicts: &mut Vec<Option<usize>>,
    ) -> Result<(), StoreError> {
        self.expiries = Expiries::default();
        let result = self.begin().and_then(|()| {
            let now_ms = to_sql_ms(self.shared.clock.now_ms());
            for job in jobs {
                let applied = apply(&mut self.rows, &job.batch, now_ms)?;
                if applied.is_ok() {
                    self.expiries.note(&job.batch, &mut self.last_expiry_id, self.connection)?;
                }
                conflicts.push(applied.err());
            }
            self.expiries.write(&mut self.last_expiry_id, self.connection)?;
            for (key, merged) in merges {
                self.rows.merge(key.table, &key.partition, &key.row, merged.version, &merged.value)?;
            }
            self.commit()
        });
        result.map_err(|error| self.roll_back(error))
    }

    fn answer(&self, jobs: Vec<Job>, conflicts: Vec<Option<usize>>, result: Result<(), StoreError>) {
        let (meter, count) = (&self.shared.meter, jobs.len());
        if count == 0 {
            return;
        }
        let bytes = jobs.iter().map(|job| job.batch.bytes).sum();
        let committed = conflicts.iter().filter(|conflict| conflict.is_none()).count() as u64;
        let now = Instant::now();
        if result.is_ok() {
            meter.group_had(count as u64);
            meter.commits.fetch_add(committed, Relaxed);
            meter.conflicts.fetch_add(count as u64 - committed, Relaxed);
        }
        self.shared.queue.done(count, bytes);
        for (index, job) in jobs.into_iter().enumerate() {
            let answer = match (&result, conflicts.get(index)) {
                (Err(error), _) => Err(CommitError::Store(error.clone())),
                (Ok(()), Some(Some(assert))) => Err(CommitError::Conflict(*assert)),
                (Ok(()), _) => Ok(()),
            };
            meter.commit_took(now.duration_since(job.since).as_micros() as u64);
            // Somebody who went away needs no answer.
            let _ = job.answer.send(answer);
        }
    }

    /// One step of the sweep, and of giving space back once there is nothing to sweep.
    fn sweep(&mut self) {
        let now_ms = to_sql_ms(self.shared.clock.now_ms());
        let step = self
            .begin()
            .and_then(|()| sweep::step(&mut self.rows, self.connection, now_ms))
            .and_then(|swept| self.commit().map(|()| swept))
            .map_err(|error| self.roll_back(error));
        let rest = match step {
            Ok(Some(swept)) => {
                self.swept += swept;
                self.shared.meter.swept.fetch_add(swept, Relaxed);
                self.shared.meter.fsyncs.fetch_add(1, Relaxed);
                SWEEP_REST
            }
            Ok(None) => {
                let swept = std::mem::take(&mut self.swept);
                self.answer_sweeps(Ok(swept));
                match sweep::vacuum(self.connection) {
                    Ok(true) => {
                        self.is_shrinking = true;
                        SWEEP_REST
                    }
                    Ok(false) => {
                        self.shorten();
                        SWEEP_INTERVAL
                    }
                    Err(error) => {
                        tracing::warn!(%error, "space could not be given back");
                        SWEEP_INTERVAL
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "expired rows could not be removed");
                self.answer_sweeps(Err(error));
                SWEEP_INTERVAL
            }
        };
        self.sweep_at = Instant::now() + rest;
    }

    /// At the end of giving space back.
    fn shorten(&mut self) {
        if std::mem::take(&mut self.is_shrinking)
            && let Err(error) = sweep::shorten(self.connection)
        {
            tracing::warn!(%error, "the file is not yet shorter");
        }
    }

    fn answer_sweeps(&mut self, result: Result<u64, StoreError>) {
        for sweep in self.sweeps.drain(..) {
            let _ = sweep.send(result.clone());
        }
    }

    fn begin(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
    }

    fn commit(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)
    }

    fn roll_back(&self, error: rusqlite::Error) -> StoreError {
        // SQLite may have rolled back by itself, and says so here.
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::debug!(%error, "nothing to roll back");
        }
        failed(error)
    }
}

/// How many of the batches share the next transaction.
fn group(jobs: &[Job]) -> usize {
    let mut rows = 0;
    let fits = |job: &&Job| {
        let fits = rows < GROUP_MAX_ROWS;
        rows += job.batch.changes.len();
        fits
    };
    jobs.iter().take_while(fits).count()
}
