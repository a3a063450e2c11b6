//! Presence at the test server: as the real one shows it, without its delays.

use super::server::{Answer, ConnectionId, TestServer, body, json};
use crate::io::{HttpRequest, Method};
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::frame::{Presence, ServerFrame};
use tidings_proto::http::{Audience, Privacy, PutContacts};
use tidings_proto::id::{AccountId, DeviceId};

#[derive(Clone, Default)]
pub struct TestPresence {
    pub looks: BTreeMap<ConnectionId, AccountId>,
    /// Which connection, of whom, watches whom.
    pub watches: BTreeSet<(ConnectionId, AccountId, AccountId)>,
    pub last_seen_ms: BTreeMap<AccountId, u64>,
    pub privacy: BTreeMap<AccountId, Privacy>,
    pub contacts: BTreeMap<AccountId, BTreeSet<AccountId>>,
}

impl TestServer {
    pub fn look(&mut self, connection: ConnectionId, account: AccountId, on: bool) {
        let changed = match on {
            true => self.presence.looks.insert(connection, account).is_none(),
            false => self.presence.looks.remove(&connection).is_some(),
        };
        assert!(changed, "it is said once");
        self.presence.last_seen_ms.insert(account, self.now_ms);
        self.announce(account);
    }

    pub fn watch(
        &mut self,
        connection: ConnectionId,
        viewer: AccountId,
        of: AccountId,
        on: bool,
    ) -> Option<ServerFrame> {
        let changed = match on {
            true => self.presence.watches.insert((connection, viewer, of)),
            false => self.presence.watches.remove(&(connection, viewer, of)),
        };
        assert!(changed, "it is said once");
        on.then(|| ServerFrame::Presence(self.present(viewer, of)))
    }

    pub fn end_looks(&mut self, connection: ConnectionId) {
        self.presence.watches.retain(|(by, ..)| *by != connection);
        if let Some(account) = self.presence.looks.remove(&connection) {
            self.presence.last_seen_ms.insert(account, self.now_ms);
            self.announce(account);
        }
    }

    pub fn presence_http(&mut self, device: DeviceId, request: &HttpRequest, path: &[&str]) -> Answer {
        let viewer = self.devices[&device].account;
        match (request.method, path) {
            (Method::Get, ["accounts", account, "presence"]) => json(&self.present(viewer, account.parse().unwrap())),
            (_, ["me", "contacts"]) => {
                let put: PutContacts = body(request);
                self.presence.contacts.insert(viewer, put.accounts.into_iter().collect());
                Ok(vec![])
            }
            (Method::Get, _) => json(&self.privacy(viewer)),
            _ => {
                self.presence.privacy.insert(viewer, body(request));
                self.announce(viewer);
                Ok(vec![])
            }
        }
    }

    /// Whether what `owner` allows holds for somebody else.
    pub fn lets(&self, owner: AccountId, what: impl Fn(&Privacy) -> Audience, other: AccountId) -> bool {
        match what(&self.privacy(owner)) {
            Audience::Everyone => true,
            Audience::Contacts => self.presence.contacts.get(&owner).is_some_and(|known| known.contains(&other)),
            Audience::Nobody => false,
        }
    }

    fn privacy(&self, account: AccountId) -> Privacy {
        let all = Privacy {
            last_seen: Audience::Everyone,
            read_receipts: true,
            find_me: Audience::Everyone,
            add_me: Audience::Everyone,
        };
        self.presence.privacy.get(&account).cloned().unwrap_or(all)
    }

    fn present(&self, viewer: AccountId, account: AccountId) -> Presence {
        let shared = [viewer, account].iter().all(|who| self.privacy(*who).last_seen != Audience::Nobody);
        let online = shared && self.presence.looks.values().any(|who| *who == account);
        let last_seen_ms = self.presence.last_seen_ms.get(&account).copied().filter(|_| shared && !online);
        Presence { account, online, last_seen_ms }
    }

    fn announce(&mut self, account: AccountId) {
        for (connection, viewer, of) in self.presence.watches.clone() {
            if of == account {
                let presence = self.present(viewer, account);
                self.out.push_back((connection, ServerFrame::Presence(presence)));
            }
        }
    }
}
