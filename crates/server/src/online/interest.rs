//! What one connection has to do with presence: whether its person looks, and whom it watches.

use super::{Watcher, forget_idle};
use crate::error::Result;
use crate::hub::Outbox;
use crate::server::Server;
use std::sync::Arc;
use tidings_proto::id::AccountId;
use tidings_proto::limit::WATCHES_MAX;

/// Of one connection; ends with it.
#[derive(Debug)]
pub struct Interest {
    server: Arc<Server>,
    outbox: Arc<Outbox>,
    viewer: AccountId,
    active: bool,
    /// The oldest first.
    watched: Vec<AccountId>,
}

impl Interest {
    pub fn new(server: Arc<Server>, outbox: Arc<Outbox>, viewer: AccountId) -> Self {
        Self { server, outbox, viewer, active: false, watched: Vec::new() }
    }

    pub fn set_active(&mut self, on: bool) {
        if std::mem::replace(&mut self.active, on) != on {
            self.server.online.change(&self.server, self.viewer, on);
        }
    }

    /// Answers at once, and again with each change. The oldest of too many watches ends.
    pub async fn watch(&mut self, account: AccountId) -> Result<()> {
        self.unwatch(account);
        if self.watched.len() >= WATCHES_MAX {
            self.unwatch(self.watched[0]);
        }
        self.watched.push(account);
        let watcher = Watcher { viewer: self.viewer, outbox: Arc::downgrade(&self.outbox), told: None };
        self.server.online.shard(account).entry(account).or_default().watchers.push(watcher);
        self.server.online.tell_one(&self.server, self.viewer, account).await
    }

    pub fn unwatch(&mut self, account: AccountId) {
        let Some(at) = self.watched.iter().position(|watched| *watched == account) else { return };
        self.watched.remove(at);
        let mut shard = self.server.online.shard(account);
        if let Some(person) = shard.get_mut(&account) {
            let own = |watcher: &Watcher| std::ptr::eq(watcher.outbox.as_ptr(), Arc::as_ptr(&self.outbox));
            person.watchers.retain(|watcher| !own(watcher));
        }
        forget_idle(&mut shard, account);
    }

    /// From time to time, while the connection lives.
    pub fn tick(&self) {
        if self.active {
            self.server.online.beat(&self.server, self.viewer);
        }
        for account in &self.watched {
            let own = |watcher: &Watcher| std::ptr::eq(watcher.outbox.as_ptr(), Arc::as_ptr(&self.outbox));
            let missed = self
                .server
                .online
                .shard(*account)
                .get(account)
                .is_some_and(|person| person.watchers.iter().any(|watcher| own(watcher) && watcher.told.is_none()));
            if missed {
                self.server.online.announce(&self.server, *account);
            }
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.set_active(false);
        while let Some(account) = self.watched.last() {
            self.unwatch(*account);
        }
    }
}
