//! The writer: one thread that makes batches durable, as many with one fsync as wait for it.
//!
//! While one transaction reaches the disk the next batches gather, so the disk's own speed decides how many share a
//! transaction, and no timer is needed. Transactions take merged rows along that are due, and a part of the journal into
//! the trees; in between the writer sweeps, and gives space back.

use super::apply::apply;
use super::flush::{Flush, Step};
use super::journal::Left;
use super::memtable::{Cells, Memtable};
use super::meter::Meter;
use super::queue::{Job, Queue, SweepAnswer};
use super::stage::Stage;
use super::sweep::{self, Expiries};
use super::{EmbeddedOptions, failed, priority};
use crate::clock::Clock;
use crate::error::{CommitError, StoreError};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// What one transaction changes, but for its last batch; so nobody waits long behind a crowd.
const GROUP_MAX_ROWS: usize = 8_192;
const GROUP_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Merged rows are written this long after the first of them came; the rest of `MERGE_DELAY_MAX_MS` is for the disk.
pub const MERGE_DELAY: Duration = Duration::from_millis(700);
/// If that failed, it is tried again after this.
const MERGE_RETRY: Duration = Duration::from_millis(200);
/// How often the writer looks for expired rows, and how long it rests after a step that found some.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);
const SWEEP_REST: Duration = Duration::from_millis(20);

/// What the writer shares with its callers.
#[derive(Debug)]
pub struct Shared {
    pub queue: Queue,
    pub memtable: Memtable,
    pub meter: Meter,
    pub clock: Clock,
}

struct Writer<'c> {
    shared: Arc<Shared>,
    connection: &'c Connection,
    stage: Stage<'c>,
    flush: Flush,
    journal_id: i64,
    last_expiry_id: i64,
    sweep_at: Instant,
    /// Sweeps that somebody waits for, and what they have removed.
    sweeps: Vec<SweepAnswer>,
    swept: u64,
}

/// Runs until the queue is closed. `ready` hears whether it could begin.
pub fn run(
    connection: Connection,
    shared: Arc<Shared>,
    left: Left,
    options: EmbeddedOptions,
    ready: std::sync::mpsc::Sender<Result<(), StoreError>>,
) {
    priority::raise();
    let _end = End(&shared.queue);
    match Writer::new(&connection, shared.clone(), left, options) {
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
    fn new(
        connection: &'c Connection,
        shared: Arc<Shared>,
        left: Left,
        options: EmbeddedOptions,
    ) -> rusqlite::Result<Self> {
        let mut flush = Flush::new(options);
        flush.added(left.cells.len(), 0);
        shared.memtable.publish(left.cells, &mut Vec::new());
        Ok(Self {
            shared,
            connection,
            stage: Stage::new(connection, left.last_place, left.garbage)?,
            flush,
            journal_id: left.last_id,
            last_expiry_id: sweep::last_id(connection)?,
            sweep_at: Instant::now() + SWEEP_INTERVAL,
            sweeps: Vec::new(),
            swept: 0,
        })
    }

    fn run(&mut self) {
        let mut jobs = Vec::new();
        loop {
            let until = if self.sweeps.is_empty() { self.sweep_at } else { Instant::now() };
            let until = self.flush.due_at().map_or(until, |at| at.min(until));
            let orders = self.shared.queue.take(&mut jobs, until);
            self.sweeps.extend(orders.sweeps);
            let mut are_merges_due = orders.are_merges_due;
            while !jobs.is_empty() || are_merges_due {
                let group = jobs.drain(..group(&jobs)).collect();
                are_merges_due = self.transaction(group, are_merges_due) && orders.is_closed;
            }
            if orders.is_closed {
                break;
            }
            if self.flush.due_at().is_some_and(|at| at <= Instant::now()) {
                self.transaction(Vec::new(), false);
            } else if !self.sweeps.is_empty() || Instant::now() >= self.sweep_at {
                self.sweep();
            }
        }
        // What is in the journal is durable; in the trees it is read faster at the next start.
        while self.flush.freeze(&self.shared.memtable, self.journal_id, true) && self.flush_step().is_ok() {}
        if let Err(error) = self.flush_step() {
            tracing::debug!(%error, "values that nothing points to are left in the heap");
        }
        for sweep in self.sweeps.drain(..) {
            let _ = sweep.send(Err(super::closed()));
        }
    }

    /// Carries out batches and answers them; returns whether more merged rows wait and can be written.
    fn transaction(&mut self, jobs: Vec<Job>, with_merges: bool) -> bool {
        self.flush.freeze(&self.shared.memtable, self.journal_id, false);
        let merges = if with_merges { self.shared.memtable.begin_merge() } else { Cells::new() };
        let merged = merges.len() as u64;
        let mut conflicts = Vec::with_capacity(jobs.len());
        let result = if jobs.is_empty() && merges.is_empty() {
            self.flush_step()
        } else {
            self.write(&jobs, merges, &mut conflicts)
        };
        let (meter, memtable) = (&self.shared.meter, &self.shared.memtable);
        if result.is_ok() {
            meter.merges_flushed.fetch_add(merged, Relaxed);
        } else if with_merges {
            memtable.abort_merge();
        }
        let more = with_merges && memtable.has_waiting();
        if more {
            let delay = if result.is_ok() { Duration::ZERO } else { MERGE_RETRY };
            self.shared.queue.merge_at(Instant::now() + delay);
        }
        let can_write = result.is_ok();
        self.answer(jobs, conflicts, result);
        more && can_write
    }

    fn write(&mut self, jobs: &[Job], merges: Cells, conflicts: &mut Vec<Option<usize>>) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let now_ms = shared.clock.now_ms();
        self.transact(|writer| {
            let mut expiries = Expiries::default();
            for job in jobs {
                let applied = apply(&mut writer.stage, &shared.memtable, &job.batch, now_ms)?;
                if applied.is_ok() {
                    expiries.note(&job.batch, &mut writer.last_expiry_id, writer.connection)?;
                }
                conflicts.push(applied.err());
            }
            expiries.write(&mut writer.last_expiry_id, writer.connection)?;
            for (position, cell) in merges {
                writer.stage.put(position, cell);
            }
            Ok(())
        })
    }

    /// A transaction that only moves rows into the trees.
    fn flush_step(&mut self) -> Result<(), StoreError> {
        self.transact(|_| Ok(()))
    }

    /// Makes `work` durable, and a step of the flush with it, or neither.
    fn transact<T>(&mut self, work: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let result = self.try_transact(work);
        let memtable = &self.shared.memtable;
        match result {
            Ok((done, step)) => {
                self.flush.stepped(step, memtable);
                self.flush.added(self.stage.len(), self.stage.bytes());
                self.journal_id += 1;
                self.stage.publish(memtable);
                // A transaction that wrote nothing needed no fsync, but those are few.
                self.shared.meter.fsyncs.fetch_add(1, Relaxed);
                Ok(done)
            }
            Err(error) => {
                self.flush.failed();
                self.shared.meter.failures.fetch_add(1, Relaxed);
                // SQLite may have rolled back by itself, and says so here.
                if let Err(error) = self.connection.execute_batch("ROLLBACK") {
                    tracing::debug!(%error, "nothing to roll back");
                }
                let error = failed(error);
                tracing::warn!(%error, "a transaction failed");
                Err(error)
            }
        }
    }

    fn try_transact<T>(&mut self, work: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<(T, Step)> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.stage.begin();
        let done = work(self)?;
        let added = self.stage.len();
        let step = self.flush.step(&mut self.stage.rows, self.connection, added)?;
        self.stage.write(self.connection, self.journal_id + 1)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok((done, step))
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
        let rest = match self.sweep_step() {
            Ok(true) => SWEEP_REST,
            Ok(false) => {
                let swept = std::mem::take(&mut self.swept);
                self.answer_sweeps(Ok(swept));
                match sweep::vacuum(self.connection) {
                    Ok(true) => SWEEP_REST,
                    Ok(false) => SWEEP_INTERVAL,
                    Err(error) => {
                        tracing::warn!(%error, "space could not be given back");
                        SWEEP_INTERVAL
                    }
                }
            }
            Err(error) => {
                self.answer_sweeps(Err(error));
                SWEEP_INTERVAL
            }
        };
        self.sweep_at = Instant::now() + rest;
    }

    /// Returns whether there was something to sweep.
    fn sweep_step(&mut self) -> Result<bool, StoreError> {
        let now_ms = self.shared.clock.now_ms();
        if !sweep::is_due(self.connection, now_ms).map_err(failed)? {
            return Ok(false);
        }
        let shared = self.shared.clone();
        let swept =
            self.transact(|writer| sweep::step(&mut writer.stage, &shared.memtable, writer.connection, now_ms))?;
        self.swept += swept;
        shared.meter.swept.fetch_add(swept, Relaxed);
        Ok(true)
    }

    fn answer_sweeps(&mut self, result: Result<u64, StoreError>) {
        for sweep in self.sweeps.drain(..) {
            let _ = sweep.send(result.clone());
        }
    }
}

/// How many of the batches share the next transaction.
fn group(jobs: &[Job]) -> usize {
    let (mut rows, mut bytes) = (0, 0);
    let fits = |job: &&Job| {
        let fits = rows < GROUP_MAX_ROWS && bytes < GROUP_MAX_BYTES;
        rows += job.batch.changes.len();
        bytes += job.batch.bytes;
        fits
    };
    jobs.iter().take_while(fits).count()
}
