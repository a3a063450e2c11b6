//! Who is looking at the app now, when they last did, and who is told.
//!
//! A connection says [`Interest::set_active`] while its person looks at the app; an account is online while any of its
//! connections here says so, and a connection that ends says no more. So nobody stays online for longer than it takes
//! to notice a dead line: three times `PING_INTERVAL_MS`. After a crash nobody is online until they say so again.
//!
//! When the last one stops, the time is put down as *last seen*; also once a minute while somebody looks (at the session's
//! own tick), so a crash loses a minute or so. Rows are written a moment later, many at once.
//!
//! Whoever has a chat open watches the person in it ([`Interest::watch`]). Changes are gathered for a moment, then told
//! to each watcher as far as both sides share it (`audience`), and only if it is news to that watcher. Nothing is told to
//! a connection that is read too slowly; its own tick tries again.

mod audience;
mod interest;

pub use interest::Interest;

use crate::error::Result;
use crate::hub::Outbox;
use crate::server::Server;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tidings_proto::frame::Presence;
use tidings_proto::id::AccountId;
use tidings_store::{Key, MergeRow, Table};

/// A power of two.
const SHARDS: usize = 64;
/// From a change to its announcement: who loses the line for a moment does not flicker.
const GATHER_MS: u64 = 250;
/// From the first time that is put down to the write.
const WRITE_DELAY_MS: u64 = 500;
/// Rows of one merge.
const ROWS_PER_MERGE: usize = 512;
/// While somebody looks, the time is put down this often.
const LAST_SEEN_INTERVAL_MS: u64 = 60_000;

#[derive(Debug)]
pub struct Online {
    shards: Box<[Mutex<HashMap<AccountId, Person>>]>,
    /// Times that the store has not got yet.
    unwritten: Mutex<HashMap<AccountId, u64>>,
}

/// Somebody who is online here, or watched from here.
#[derive(Debug, Default)]
struct Person {
    /// Connections that say that somebody looks.
    active: u32,
    put_down_ms: u64,
    watchers: Vec<Watcher>,
    /// A task is about to tell the watchers.
    announcing: bool,
}

#[derive(Debug)]
struct Watcher {
    viewer: AccountId,
    outbox: Weak<Outbox>,
    told: Option<Presence>,
}

impl Default for Online {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), unwritten: Mutex::default() }
    }
}

impl Online {
    /// What `viewer` may know of `account` now.
    pub async fn presence(&self, server: &Server, viewer: AccountId, account: AccountId) -> Result<Presence> {
        if !audience::may_see(server, viewer, account).await? {
            return Ok(nothing(account));
        }
        let stored = self.last_seen_ms(server, account).await?;
        Ok(self.shown(account, stored))
    }

    /// Tells the watchers of an account how it is now, soon: it came, went, or shares something else with them.
    pub fn announce(&self, server: &Arc<Server>, account: AccountId) {
        let mut shard = self.shard(account);
        let Some(person) = shard.get_mut(&account) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if person.watchers.is_empty() || std::mem::replace(&mut person.announcing, true) {
            return;
        }
        let server = server.clone();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(GATHER_MS)).await;
            server.online.tell(&server, account).await;
        });
    }

    /// As [`Online::announce`] for everybody whom `viewer` watches: it shares something else itself.
    pub fn announce_to(&self, server: &Arc<Server>, viewer: AccountId) {
        let watched = |shard: &Mutex<HashMap<AccountId, Person>>| {
            let shard = lock(shard);
            let by = |person: &Person| person.watchers.iter().any(|watcher| watcher.viewer == viewer);
            shard.iter().filter(|(_, person)| by(person)).map(|(account, _)| *account).collect::<Vec<_>>()
        };
        let accounts: Vec<AccountId> = self.shards.iter().flat_map(watched).collect();
        accounts.into_iter().for_each(|account| self.announce(server, account));
    }

    /// Writes what was put down.
    pub async fn flush(&self, server: &Server) -> Result<()> {
        let times = std::mem::take(&mut *lock(&self.unwritten));
        let row = |(account, ms): (AccountId, u64)| {
            MergeRow::new(Table::LastSeen, account.as_bytes(), [], ms, ms.to_be_bytes().to_vec())
        };
        let mut rows: Vec<MergeRow> = times.into_iter().map(row).collect();
        while !rows.is_empty() {
            server.store.merge(rows.split_off(rows.len().saturating_sub(ROWS_PER_MERGE))).await?;
        }
        Ok(())
    }

    /// One more connection of an account says that somebody looks, or one less.
    fn change(&self, server: &Arc<Server>, account: AccountId, on: bool) {
        let mut shard = self.shard(account);
        let person = shard.entry(account).or_default();
        let before = person.active;
        person.active = if on { before + 1 } else { before.saturating_sub(1) };
        let changed = (before == 0) != (person.active == 0);
        if changed {
            self.put_down(server, account, person);
        }
        forget_idle(&mut shard, account);
        drop(shard);
        if changed {
            self.announce(server, account);
        }
    }

    /// Somebody still looks.
    fn beat(&self, server: &Arc<Server>, account: AccountId) {
        if let Some(person) = self.shard(account).get_mut(&account)
            && server.clock.now_ms() >= person.put_down_ms.saturating_add(LAST_SEEN_INTERVAL_MS)
        {
            self.put_down(server, account, person);
        }
    }

    fn put_down(&self, server: &Arc<Server>, account: AccountId, person: &mut Person) {
        person.put_down_ms = server.clock.now_ms();
        let mut unwritten = lock(&self.unwritten);
        unwritten.insert(account, person.put_down_ms);
        let first = unwritten.len() == 1;
        drop(unwritten);
        if first && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let server = server.clone();
            runtime.spawn(async move {
                tokio::time::sleep(Duration::from_millis(WRITE_DELAY_MS)).await;
                if let Err(error) = server.online.flush(&server).await {
                    tracing::warn!(%error, "times of last seen were not written");
                }
            });
        }
    }

    /// The newest time that the store or this node knows, 0 if there is none.
    async fn last_seen_ms(&self, server: &Server, account: AccountId) -> Result<u64> {
        let known = lock(&self.unwritten).get(&account).copied().unwrap_or(0);
        let row = server.store.get(&Key::new(Table::LastSeen, account.as_bytes(), [])).await?;
        Ok(row.and_then(|value| value[..].try_into().ok()).map_or(0, u64::from_be_bytes).max(known))
    }

    fn shown(&self, account: AccountId, stored_ms: u64) -> Presence {
        present(account, self.shard(account).get(&account), stored_ms)
    }

    async fn tell(&self, server: &Arc<Server>, account: AccountId) {
        let viewers: Vec<AccountId> = {
            let mut shard = self.shard(account);
            let Some(person) = shard.get_mut(&account) else { return };
            person.announcing = false;
            person.watchers.retain(|watcher| watcher.outbox.strong_count() > 0);
            let viewers = person.watchers.iter().map(|watcher| watcher.viewer).collect();
            forget_idle(&mut shard, account);
            viewers
        };
        for viewer in viewers {
            if let Err(error) = self.tell_one(server, viewer, account).await {
                tracing::warn!(%error, "a watcher was not told");
            }
        }
    }

    async fn tell_one(&self, server: &Server, viewer: AccountId, account: AccountId) -> Result<()> {
        let may_see = audience::may_see(server, viewer, account).await?;
        let stored_ms = if may_see { self.last_seen_ms(server, account).await? } else { 0 };
        // From here on under one lock: of two who tell at the same time, the later one tells what is newer.
        let mut shard = self.shard(account);
        let now = if may_see { present(account, shard.get(&account), stored_ms) } else { nothing(account) };
        let Some(person) = shard.get_mut(&account) else { return Ok(()) };
        for watcher in person.watchers.iter_mut().filter(|watcher| watcher.viewer == viewer) {
            if watcher.told != Some(now)
                && let Some(outbox) = watcher.outbox.upgrade()
            {
                watcher.told = outbox.pusher().presence(now).then_some(now);
            }
        }
        Ok(())
    }

    fn shard(&self, account: AccountId) -> MutexGuard<'_, HashMap<AccountId, Person>> {
        lock(&self.shards[usize::from(account.as_bytes()[15]) & (SHARDS - 1)])
    }
}

fn present(account: AccountId, person: Option<&Person>, stored_ms: u64) -> Presence {
    let online = person.is_some_and(|person| person.active > 0);
    let last_ms = stored_ms.max(person.map_or(0, |person| person.put_down_ms));
    // While somebody looks, the time says nothing that is not known.
    Presence { account, online, last_seen_ms: (!online && last_ms > 0).then_some(last_ms) }
}

/// Unknown, or not shared: the two look alike.
fn nothing(account: AccountId) -> Presence {
    Presence { account, online: false, last_seen_ms: None }
}

fn forget_idle(shard: &mut HashMap<AccountId, Person>, account: AccountId) {
    if shard.get(&account).is_some_and(|person| person.active == 0 && person.watchers.is_empty()) {
        shard.remove(&account);
    }
}

/// What is under these locks is whole between any two statements, so poison is of no interest.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
