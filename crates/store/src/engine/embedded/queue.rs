//! What waits for the writer.

use crate::batch::Batch;
use crate::error::{CommitError, StoreError};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tidings_proto::limit;
use tokio::sync::oneshot;

/// Batches that wait or are under way, at most, and their values.
const QUEUE_MAX_BATCHES: usize = 16_384;
const QUEUE_MAX_BYTES: usize = 16 * limit::BATCH_MAX_BYTES;

/// A batch, and who waits for it.
#[derive(Debug)]
pub struct Job {
    pub batch: Batch,
    pub since: Instant,
    pub answer: oneshot::Sender<Result<(), CommitError>>,
}

pub type SweepAnswer = oneshot::Sender<Result<u64, StoreError>>;

#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: Vec<Job>,
    sweeps: Vec<SweepAnswer>,
    flush_at: Option<Instant>,
    is_closed: bool,
    /// The writer sleeps, and must be woken.
    is_idle: bool,
    /// Batches here and in the writer's hands.
    batches: usize,
    bytes: usize,
}

/// What the writer shall do now.
#[derive(Debug)]
pub struct Orders {
    pub sweeps: Vec<SweepAnswer>,
    pub is_flush_due: bool,
    pub is_closed: bool,
}

impl Queue {
    pub fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut state = self.open()?;
        let bytes = job.batch.bytes;
        if state.batches >= QUEUE_MAX_BATCHES || state.bytes + bytes > QUEUE_MAX_BYTES {
            return Err(StoreError::Overloaded);
        }
        state.batches += 1;
        state.bytes += bytes;
        state.jobs.push(job);
        self.wake(state);
        Ok(())
    }

    pub fn push_sweep(&self, answer: SweepAnswer) -> Result<(), StoreError> {
        let mut state = self.open()?;
        state.sweeps.push(answer);
        self.wake(state);
        Ok(())
    }

    /// Merged rows wait, and shall be on the disk soon after this moment.
    pub fn flush_at(&self, at: Instant) {
        let mut state = self.lock();
        state.flush_at = Some(at);
        self.wake(state);
    }

    pub fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.wake(state);
    }

    /// Closes, and drops what waits; whoever waits for an answer hears that there is none.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.jobs.clear();
        state.sweeps.clear();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    pub fn batches(&self) -> usize {
        self.lock().batches
    }

    /// Sleeps until there is something to do, at the latest until `until`. Puts the batches into `jobs`, which is empty.
    pub fn take(&self, jobs: &mut Vec<Job>, until: Instant) -> Orders {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let wake_at = state.flush_at.map_or(until, |at| at.min(until));
            if !state.jobs.is_empty() || !state.sweeps.is_empty() || state.is_closed || wake_at <= now {
                std::mem::swap(&mut state.jobs, jobs);
                let is_flush_due = state.is_closed || state.flush_at.is_some_and(|at| at <= now);
                if is_flush_due {
                    state.flush_at = None;
                }
                let sweeps = std::mem::take(&mut state.sweeps);
                return Orders { sweeps, is_flush_due, is_closed: state.is_closed };
            }
            state.is_idle = true;
            let sleep = wake_at.saturating_duration_since(now).max(Duration::from_millis(1));
            state = self.wake.wait_timeout(state, sleep).expect("nothing panics while it holds the queue").0;
            state.is_idle = false;
        }
    }

    /// Batches were answered.
    pub fn done(&self, batches: usize, bytes: usize) {
        let mut state = self.lock();
        state.batches -= batches;
        state.bytes -= bytes;
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        if state.is_closed { Err(super::closed()) } else { Ok(state) }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let was_idle = std::mem::replace(&mut state.is_idle, false);
        drop(state);
        if was_idle {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }
}
