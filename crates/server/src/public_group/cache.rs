//! The groups that are in use, in memory: one user at a time each, the least recently used go when there are too many
//! bytes.

use super::PublicState;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidings_proto::id::{ConversationId, MessageId};

/// Of all groups together, as [`Held::bytes`] counts.
const GROUPS_MAX_BYTES: usize = 256 * 1024 * 1024;
/// What a group takes beside its tree, and a nearly empty one.
const GROUP_MIN_BYTES: usize = 16 * 1024;
/// A tree in memory takes about this many times its bytes on the disk: nodes are kept with their spare room and hashes.
const TREE_FACTOR: usize = 2;

/// See the module.
#[derive(Debug, Default)]
pub struct Groups {
    slots: Mutex<HashMap<ConversationId, Arc<Slot>>>,
    clock: AtomicU64,
    max_bytes: Option<usize>,
}

/// The place of one group. Whoever holds the lock is the only one on this node who changes the group.
#[derive(Debug, Default)]
pub struct Slot {
    pub state: tokio::sync::Mutex<Option<Held>>,
    bytes: AtomicUsize,
    used: AtomicU64,
}

/// A group as of a commit.
#[derive(Debug)]
pub struct Held {
    pub commit: MessageId,
    pub state: PublicState,
    pub tree_bytes: usize,
}

impl Held {
    fn bytes(&self) -> usize {
        GROUP_MIN_BYTES + TREE_FACTOR * self.tree_bytes
    }
}

impl Groups {
    /// With another bound, for tests.
    pub fn with_max_bytes(max_bytes: usize) -> Self {
        Self { max_bytes: Some(max_bytes), ..Self::default() }
    }

    /// The place of a group, which may be empty.
    pub fn slot(&self, conversation: ConversationId) -> Arc<Slot> {
        let slot = self.lock().entry(conversation).or_default().clone();
        slot.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        slot
    }

    /// After the use of a slot: notes its size, and drops others if there are too many. Call it with the lock released.
    pub fn settle(&self, conversation: ConversationId, slot: Arc<Slot>) {
        if let Ok(held) = slot.state.try_lock() {
            slot.bytes.store(held.as_ref().map_or(0, Held::bytes), Ordering::Relaxed);
        }
        let empty = slot.bytes.load(Ordering::Relaxed) == 0;
        drop(slot);
        let mut slots = self.lock();
        // Who uses a slot holds it; under this lock nobody new can get it.
        let idle = |slot: &Arc<Slot>| Arc::strong_count(slot) == 1;
        if empty && slots.get(&conversation).is_some_and(idle) {
            slots.remove(&conversation);
        }
        let max_bytes = self.max_bytes.unwrap_or(GROUPS_MAX_BYTES);
        let mut bytes: usize = slots.values().map(|slot| slot.bytes.load(Ordering::Relaxed)).sum();
        while bytes > max_bytes {
            let oldest =
                slots.iter().filter(|(_, slot)| idle(slot)).min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed));
            let Some(oldest) = oldest.map(|(id, _)| *id) else { return };
            bytes -= slots.remove(&oldest).map_or(0, |slot| slot.bytes.load(Ordering::Relaxed));
        }
    }

    /// How many groups are in memory.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Arc<Slot>>> {
        // The map is whole between any two statements, so poison is of no interest.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
