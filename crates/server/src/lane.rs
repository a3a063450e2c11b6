//! The in-memory state of the logs that are in use on this node.
//!
//! A [`Lane`] is one log's head, roster, watermarks and the appends that wait for it. At most one commit per log is under
//! way; it takes as many waiting appends as fit, so batches form by themselves under load. Everything here can be
//! rebuilt from the store (`load`), and a lane that nobody uses is dropped when there are too many.
//!
//! * `state`: what a lane knows, and the rules that need nothing else. * `drain`: the task that commits.
//! * `roster`: who is in a conversation. * `mark`, `marks`: cursors and watermarks. * `gather`: receipts of groups.
//! * `trim`: deletes what every device has.
//! * `sharing`: who keeps to themselves what they read. * `behind`: writes cursors and watermarks to the store, later.
//!
//! Locks are held for moments and never across an await. A node that shares its store with others stays correct, for
//! the log compares the head with each append; the lane then loads again.

mod behind;
mod drain;
mod gather;
mod load;
mod mark;
mod marks;
mod roster;
mod sharing;
mod state;
mod trim;

pub use drain::Reply;
pub use load::{Block, block_row};
pub use roster::{Former, Member, Reach, Roster};
pub use state::{Lane, View, commit_first};

use crate::error::Result;
use crate::server::Server;
use behind::Behind;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tidings_proto::entry::Sender;
use tidings_proto::id::{AccountId, ConversationId, LogId};

/// Logs in use; above it the least recently used go. A direct conversation takes about a kilobyte.
const LANES_MAX: usize = 65_536;
/// A power of two.
const SHARDS: usize = 64;
/// How many lanes one insertion looks at for one to drop; when all are busy the map grows over its bound for a while.
const EVICTION_LOOKS: usize = 16;

#[derive(Debug)]
pub struct Lanes {
    shards: Box<[Mutex<Shard>]>,
    lanes_max_per_shard: usize,
    behind: Behind,
    /// Held by whoever changes what an account shares, and how often that was.
    sharing: tokio::sync::Mutex<()>,
    sharing_changes: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    lanes: HashMap<LogId, Arc<Lane>>,
    /// Second chance: the hand goes round, and takes what was not used since it last came by.
    clock: VecDeque<LogId>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new()
    }
}

impl Lanes {
    pub fn new() -> Self {
        Self::with_max(LANES_MAX)
    }

    /// With another bound, for tests.
    pub fn with_max(lanes_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            lanes_max_per_shard: (lanes_max / SHARDS).max(1),
            behind: Behind::default(),
            sharing: tokio::sync::Mutex::default(),
            sharing_changes: AtomicU64::new(0),
        }
    }

    /// The lane of a log, loaded. Without awaiting if it is in memory.
    pub async fn open(&self, server: &Server, log: LogId) -> Result<Arc<Lane>> {
        let lane = self.lane(log);
        if !lane.is_ready() {
            lane.load(server).await?;
        }
        Ok(lane)
    }

    /// The lane of a log if it is in memory and loaded.
    pub fn loaded(&self, log: LogId) -> Option<Arc<Lane>> {
        let shard = self.shard(log);
        let lane = shard.lanes.get(&log).filter(|lane| lane.is_ready())?;
        lane.used.store(true, Ordering::Relaxed);
        Some(lane.clone())
    }

    /// The lane of a log if it is in memory; it may not be loaded yet.
    fn present(&self, log: LogId) -> Option<Arc<Lane>> {
        self.shard(log).lanes.get(&log).cloned()
    }

    /// The lane of the direct conversation of two people, which need not exist yet.
    pub async fn open_direct(&self, server: &Server, one: AccountId, other: AccountId) -> Result<Arc<Lane>> {
        let lane = self.open(server, ConversationId::direct(one, other).into()).await?;
        lane.load_blocks(server, one, other).await?;
        Ok(lane)
    }

    /// The lane of a device's inbox.
    pub async fn open_inbox(&self, server: &Server, owner: Sender) -> Result<Arc<Lane>> {
        let lane = self.open(server, owner.device.into()).await?;
        lane.set_owner(owner.account);
        Ok(lane)
    }

    /// Drops the lane of a log that turned out to be empty, so that asking for what does not exist costs others nothing.
    pub fn forget(&self, lane: Arc<Lane>) {
        let mut shard = self.shard(lane.log);
        // One in the map, one here: nobody else has it, and nobody can get it under this lock.
        if Arc::strong_count(&lane) == 2 && lane.is_idle_and_empty() {
            shard.lanes.remove(&lane.log);
            if shard.clock.len() > 2 * shard.lanes.len() + EVICTION_LOOKS {
                let Shard { lanes, clock } = &mut *shard;
                clock.retain(|log| lanes.contains_key(log));
            }
        }
    }

    /// Forgets the lane of a log that is about to be erased.
    pub fn drop_lane(&self, log: LogId) {
        self.shard(log).lanes.remove(&log);
    }

    /// Makes cursors and watermarks that moved visible to readers of the store; called by the background and before a
    /// plan, and at the end of a shutdown.
    pub async fn flush(&self, server: &Server) -> Result<()> {
        self.behind.flush(server).await
    }

    fn lane(&self, log: LogId) -> Arc<Lane> {
        let mut shard = self.shard(log);
        if let Some(lane) = shard.lanes.get(&log) {
            lane.used.store(true, Ordering::Relaxed);
            return lane.clone();
        }
        let lane = Arc::new(Lane::new(log));
        shard.lanes.insert(log, lane.clone());
        shard.clock.push_back(log);
        if shard.lanes.len() > self.lanes_max_per_shard {
            shard.evict();
        }
        lane
    }

    fn shard(&self, log: LogId) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(log.as_bytes()[15]) & (SHARDS - 1)])
    }
}

impl Shard {
    fn evict(&mut self) {
        for _ in 0..EVICTION_LOOKS {
            let Some(log) = self.clock.pop_front() else { return };
            let Some(lane) = self.lanes.get(&log) else { continue };
            // Whoever uses a lane (a commit under way, a cursor to be written) holds it.
            if Arc::strong_count(lane) > 1 || lane.used.swap(false, Ordering::Relaxed) {
                self.clock.push_back(log);
            } else {
                self.lanes.remove(&log);
                return;
            }
        }
    }
}

/// What is under these locks is whole between any two statements, so poison is of no interest.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
