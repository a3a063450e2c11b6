//! Everything in memory, for tests and simulations.
//!
//! A [`MemoryDisk`] is what survives a crash; a store opened from it is a process. After [`MemoryDisk::crash`] every
//! store that was open fails for ever, committed batches are on the disk, and merges of the last [`MERGE_DELAY_MAX_MS`]
//! are lost. A latency makes commits take time, before and after they take effect, so that a crash may fall on either
//! side. Several stores may be open at once, as the nodes of a cluster would.

use super::{Budget, Engine};
use crate::batch::{Assert, Batch, Change, Changed, MergeRow};
use crate::blob::Blobs;
use crate::clock::Clock;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, Partition, Row, RowKey, Scan};
use crate::stats::Stats;
use crate::store::{MERGE_DELAY_MAX_MS, Store};
use crate::table::{Access, Mode, Table};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How long a commit takes: until it takes effect, and from then until it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitLatency {
    pub before: Duration,
    pub after: Duration,
}

type Latency = Arc<dyn Fn() -> CommitLatency + Send + Sync>;

/// A disk that outlives the stores that are opened from it. Clones are the same disk.
#[derive(Clone)]
pub struct MemoryDisk {
    clock: Clock,
    disk: Arc<Mutex<Disk>>,
    /// Durable at once: what a crash may take of them was not answered.
    blobs: Blobs,
}

/// One process that has the disk open.
#[derive(Clone, Debug)]
pub struct Memory {
    disk: MemoryDisk,
    /// Fails once the disk counts further.
    life: u64,
}

#[derive(Default)]
struct Disk {
    /// Crashes and closings so far.
    life: u64,
    latency: Option<Latency>,
    rows: BTreeMap<(Table, Partition), BTreeMap<RowKey, Cell>>,
    /// Merged rows that a crash does not take; `rows` has these and the pending ones.
    flushed: BTreeMap<Key, Cell>,
    /// With the time of the merge, ascending.
    pending: VecDeque<(u64, Key, Cell)>,
    stats: Stats,
}

#[derive(Clone)]
struct Cell {
    value: Bytes,
    expires_ms: Option<u64>,
    /// 0 in commit-only tables.
    version: u64,
}

impl MemoryDisk {
    pub fn new(clock: Clock) -> Self {
        Self { clock, disk: Arc::default(), blobs: Blobs::memory() }
    }

    pub fn open(&self) -> Store {
        let life = self.lock().life;
        Store::from_parts(Engine::Memory(Memory { disk: self.clone(), life }), self.blobs.clone())
    }

    /// Ends every store that is open, as a power failure would.
    pub fn crash(&self) {
        let now_ms = self.clock.now_ms();
        let mut disk = self.lock();
        disk.flush(now_ms.checked_sub(MERGE_DELAY_MAX_MS));
        disk.life += 1;
        disk.pending.clear();
        disk.rows.retain(|(table, _), _| table.mode() == Mode::Commit);
        for (key, cell) in disk.flushed.clone() {
            disk.rows.entry((key.table, key.partition)).or_default().insert(key.row, cell);
        }
    }

    /// Asked at each commit from now on.
    pub fn set_latency(&self, latency: impl Fn() -> CommitLatency + Send + Sync + 'static) {
        self.lock().latency = Some(Arc::new(latency));
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("nothing panics while it holds the disk")
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryDisk")
    }
}

impl Memory {
    pub fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let now_ms = self.disk.clock.now_ms();
        Ok(self.lock()?.get(key.table, &key.partition, &key.row, now_ms).cloned())
    }

    pub fn scan(&self, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        assert!(scan.table.access() == Access::Scan, "{:?} has no order", scan.table);
        let now_ms = self.disk.clock.now_ms();
        let disk = self.lock()?;
        let Some(rows) = disk.rows.get(&(scan.table, scan.partition.clone())) else { return Ok(Vec::new()) };
        if scan.end.as_ref().is_some_and(|end| *end <= scan.start) {
            return Ok(Vec::new());
        }
        let end = scan.end.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = rows.range::<RowKey, _>((Bound::Included(&scan.start), end));
        let kept = |(_, cell): &(&RowKey, &Cell)| cell.is_kept(now_ms);
        let found = |(row, cell): (&RowKey, &Cell)| Row { row: row.clone(), value: cell.value.clone() };
        Ok(if scan.reverse {
            take(range.rev().filter(kept).map(found), scan)
        } else {
            take(range.filter(kept).map(found), scan)
        })
    }

    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let latency = self.lock()?.latency.clone().map_or_else(CommitLatency::default, |latency| latency());
        sleep(latency.before).await;
        let now_ms = self.disk.clock.now_ms();
        let result = self.lock()?.commit(batch, now_ms);
        sleep(latency.after).await;
        // A process that crashed meanwhile has nobody to answer to.
        self.lock().map(drop)?;
        result
    }

    pub fn merge(&self, rows: Vec<MergeRow>) -> Result<(), StoreError> {
        let now_ms = self.disk.clock.now_ms();
        let mut disk = self.lock()?;
        for MergeRow { table, partition, row, version, value } in rows {
            let cell = Cell { value, expires_ms: None, version };
            let key = Key { table, partition, row };
            raise(disk.rows.entry((table, key.partition.clone())).or_default(), key.row.clone(), cell.clone());
            disk.pending.push_back((now_ms, key, cell));
            disk.stats.merges += 1;
        }
        disk.flush(now_ms.checked_sub(MERGE_DELAY_MAX_MS));
        Ok(())
    }

    pub fn sweep(&self) -> Result<u64, StoreError> {
        let now_ms = self.disk.clock.now_ms();
        let mut disk = self.lock()?;
        let mut swept = 0;
        disk.rows.retain(|_, rows| {
            let before = rows.len();
            rows.retain(|_, cell| cell.is_kept(now_ms));
            swept += (before - rows.len()) as u64;
            !rows.is_empty()
        });
        disk.stats.swept += swept;
        Ok(swept)
    }

    pub fn close(&self) -> Result<(), StoreError> {
        let mut disk = self.lock()?;
        disk.flush(Some(u64::MAX));
        disk.life += 1;
        Ok(())
    }

    pub fn stats(&self) -> Stats {
        self.disk.lock().stats.clone()
    }

    fn lock(&self) -> Result<MutexGuard<'_, Disk>, StoreError> {
        let disk = self.disk.lock();
        if disk.life == self.life { Ok(disk) } else { Err(StoreError::Unavailable("closed".into())) }
    }
}

impl Disk {
    fn get(&self, table: Table, partition: &Partition, row: &RowKey, now_ms: u64) -> Option<&Bytes> {
        let cell = self.rows.get(&(table, partition.clone()))?.get(row)?;
        cell.is_kept(now_ms).then_some(&cell.value)
    }

    fn commit(&mut self, batch: Batch, now_ms: u64) -> Result<(), CommitError> {
        for (index, (table, row, assert)) in batch.asserts.iter().enumerate() {
            let value = self.get(*table, &batch.partition, row, now_ms);
            let holds = match assert {
                Assert::Absent => value.is_none(),
                Assert::Present => value.is_some(),
                Assert::Equals(expected) => value == Some(expected),
            };
            if !holds {
                self.stats.conflicts += 1;
                return Err(CommitError::Conflict(index));
            }
        }
        for key in batch.deleted_merges() {
            self.flushed.remove(&key);
            self.pending.retain(|(_, pending, _)| *pending != key);
        }
        for Changed { table, row, change, .. } in batch.changes {
            let rows = self.rows.entry((table, batch.partition.clone())).or_default();
            match change {
                Change::Put { value, expires_ms } => rows.insert(row, Cell { value, expires_ms, version: 0 }),
                Change::Delete => rows.remove(&row),
            };
        }
        self.stats.commits += 1;
        Ok(())
    }

    /// Moves what was merged until then out of a crash's reach.
    fn flush(&mut self, until_ms: Option<u64>) {
        let Some(until_ms) = until_ms else { return };
        while self.pending.front().is_some_and(|(merged_ms, ..)| *merged_ms <= until_ms) {
            let (_, key, cell) = self.pending.pop_front().expect("it was there");
            raise(&mut self.flushed, key, cell);
            self.stats.merges_flushed += 1;
        }
    }
}

impl Cell {
    fn is_kept(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms)
    }
}

/// The highest version wins.
fn raise<K: Ord>(rows: &mut BTreeMap<K, Cell>, key: K, cell: Cell) {
    match rows.get(&key) {
        Some(present) if present.version >= cell.version => {}
        _ => {
            rows.insert(key, cell);
        }
    }
}

/// The first rows, within the limits of the scan.
fn take(rows: impl Iterator<Item = Row>, scan: &Scan) -> Vec<Row> {
    let mut budget = Budget::of(scan);
    rows.take_while(|row| budget.admits(row.value.len())).collect()
}

async fn sleep(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
