//! MLS groups (RFC 9420), one leaf per device. The only place that knows OpenMLS; none of its types leave this module.
//!
//! * [`Mls`] holds the device's [`identity::Identity`] and does everything; each call takes the connection of the
//!   transaction that is open (`db::Db::transaction`), and takes effect as a whole or not at all.
//! * [`key_package`]: packages by which others add this device. * [`group`]: make, change and ask a group.
//!   * [`join`]: by welcome or external commit. * [`message`]: encrypt, and process what the log says.
//!   * [`rules`]: what a group's members may do. * [`signal`]: what is never stored. * [`safety`]: safety numbers. * [`error`]: what to do next.
//! * Inside: `policy` (which commits are accepted), `bundle` (what a commit is sent as), `held` (rows and loaded
//!   groups), `storage`, `provider`.
//!
//! **The life of an own commit.** A call that makes one returns a [`CommitBundle`] and keeps the commit pending in the
//! database; nothing changes in the group yet. The caller stores the bundle and sends it until the log answers:
//!
//! | the log has at that epoch | call |
//! |---|---|
//! | the own commit (known by its message id) | [`Mls::merge_pending`] |
//! | somebody else's | [`Mls::process`]; it drops the own one, and the intent is made anew |
//! | nothing, and it was refused for good | [`Mls::drop_pending`] |
//!
//! An external commit is different in one thing: there is no group before it, so if it loses, [`Mls::drop_pending`]
//! deletes the group, and [`Mls::join_external`] begins again from the newest GroupInfo.
//!
//! **What is checked** on every welcome, GroupInfo and commit: each leaf has a credential whose account vouches for the
//! leaf's signature key; a device has one leaf; a direct conversation has no third account; an external commit removes
//! nothing but its own device's old leaf; a leaf never changes hands. What is *not* decided here: whether an account's
//! identity key is the one that was pinned. The caller compares it (`Credential::identity_key`) in everything that
//! `Committed` and `Joined` name.
//!
//! **Lifetimes.** OpenMLS compares the lifetimes of leaves with the machine's clock, also when a device reads a commit
//! weeks later, and refuses the commit then. So leaves carry an open end, and the age of a key package is checked here,
//! with the caller's clock, when it is used ([`key_package::LIFETIME_S`]).

mod bundle;
pub mod error;
pub mod group;
mod held;
pub mod identity;
pub mod join;
pub mod key_package;
pub mod message;
mod policy;
mod provider;
pub mod rules;
pub mod safety;
pub mod signal;
mod storage;

#[cfg(test)]
mod tests;

pub use bundle::CommitBundle;
pub use error::MlsError;
pub use identity::Identity;

use openmls_rust_crypto::RustCrypto;
use provider::{Provider, Random};
use rusqlite::Connection;
use storage::Storage;
use tidings_proto::entry::Sender;
use tidings_proto::id::ConversationId;

/// MLS of one device.
pub struct Mls {
    identity: Identity,
    crypto: RustCrypto,
    random: Random,
    verified: policy::Verified,
    loaded: held::Loaded,
    /// Devices that their own account threw out for good.
    revoked: std::cell::RefCell<std::collections::BTreeSet<Sender>>,
    /// After which entry they do not come in any more: what let them in before may be read only later, or once more.
    barred: std::cell::RefCell<std::collections::BTreeMap<(ConversationId, Sender), u64>>,
    /// In tests: own commits are made without asking whether they are allowed.
    #[cfg(test)]
    lawless: std::cell::Cell<bool>,
}

impl Mls {
    /// `seed`: fresh from the system each time that the program starts (a simulation gives what it likes).
    pub fn new(identity: Identity, seed: [u8; 32]) -> Self {
        Self {
            identity,
            crypto: RustCrypto::default(),
            random: Random::new(seed),
            verified: policy::Verified::default(),
            loaded: held::Loaded::default(),
            revoked: std::cell::RefCell::default(),
            barred: std::cell::RefCell::default(),
            #[cfg(test)]
            lawless: std::cell::Cell::new(false),
        }
    }

    /// Nothing is encrypted for this device any more.
    pub fn revoke(&self, device: Sender) {
        self.revoked.borrow_mut().insert(device);
    }

    pub fn is_revoked(&self, device: Sender) -> bool {
        self.revoked.borrow().contains(&device)
    }

    pub fn has_revoked(&self) -> bool {
        !self.revoked.borrow().is_empty()
    }

    /// After the entry at `seq` no commit that brings this device into this conversation is taken.
    pub fn bar(&self, conversation: ConversationId, device: Sender, seq: u64) {
        self.barred.borrow_mut().entry((conversation, device)).or_insert(seq);
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    fn provider<'a>(&'a self, connection: &'a Connection) -> Provider<'a> {
        Provider { crypto: &self.crypto, random: &self.random, storage: Storage(connection) }
    }
}

/// Runs `work` so that it takes effect as a whole or not at all, inside of the caller's transaction.
fn atomically<T>(connection: &Connection, work: impl FnOnce() -> Result<T, MlsError>) -> Result<T, MlsError> {
    connection.prepare_cached("SAVEPOINT mls")?.execute([])?;
    let result = work();
    if result.is_err() {
        connection.prepare_cached("ROLLBACK TO mls")?.execute([])?;
    }
    connection.prepare_cached("RELEASE mls")?.execute([])?;
    result
}
