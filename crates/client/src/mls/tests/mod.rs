//! Devices with databases in memory that hand each other bytes, as a server would.

mod commits;
mod groups;
mod joining;
mod malformed;
mod messages;
mod policy;
mod stored;

use super::group::State;
use super::join::Entrance;
use super::key_package::Invitee;
use super::message::Processed;
use super::{CommitBundle, Identity, Mls, MlsError};
use crate::db::Db;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rusqlite::Connection;
use tidings_proto::entry::{ConversationKind, Sender};
use tidings_proto::id::{AccountId, ConversationId, DeviceId};

/// A fixed day, in the past of any machine that runs this.
pub const NOW_S: u64 = 1_700_000_000;

pub struct Device {
    pub db: Db,
    pub mls: Mls,
    pub conversation: ConversationId,
}

pub fn account(byte: u8) -> AccountId {
    AccountId::from_bytes([byte; 16])
}

/// The direct conversation of accounts 1 and 2.
pub fn direct() -> ConversationId {
    ConversationId::direct(account(1), account(2))
}

impl Device {
    pub fn new(account_byte: u8, device_byte: u8) -> Self {
        let mut random = ChaCha20Rng::from_seed([device_byte; 32]);
        let mut db = Db::open_memory().unwrap();
        let identity = db
            .transaction(|tx| {
                let device = DeviceId::from_bytes([device_byte; 16]);
                Identity::create(tx, &mut random, None, account(account_byte), device, NOW_S)
            })
            .unwrap();
        Self { db, mls: Mls::new(identity, [device_byte; 32]), conversation: direct() }
    }

    pub fn sender(&self) -> Sender {
        self.mls.identity().sender()
    }

    /// One call in a transaction of its own.
    pub fn call<T>(&mut self, work: impl FnOnce(&Mls, &Connection) -> Result<T, MlsError>) -> Result<T, MlsError> {
        let Self { db, mls, .. } = self;
        db.transaction(|tx| work(mls, tx))
    }

    /// The program ends, and starts again with the same database.
    pub fn restart(self) -> Self {
        let db = Db::from_connection(self.db.into_connection()).unwrap();
        let identity = Identity::load(db.connection()).unwrap().unwrap();
        Self { db, mls: Mls::new(identity, [99; 32]), conversation: self.conversation }
    }

    pub fn key_package(&mut self) -> Vec<u8> {
        self.call(|mls, tx| mls.make_key_packages(tx, 1, false, NOW_S)).unwrap().remove(0).payload
    }

    pub fn create(&mut self, others: &mut [&mut Device]) -> Result<CommitBundle, MlsError> {
        let conversation = self.conversation;
        let packages: Vec<_> = others.iter_mut().map(|other| (other.sender(), other.key_package())).collect();
        let invitees = invitees(&packages);
        self.call(|mls, tx| mls.create(tx, conversation, ConversationKind::Direct, &invitees, NOW_S))
    }

    pub fn add(&mut self, other: &mut Device) -> Result<CommitBundle, MlsError> {
        let conversation = self.conversation;
        let packages = [(other.sender(), other.key_package())];
        self.call(|mls, tx| mls.add(tx, conversation, &invitees(&packages), NOW_S))
    }

    pub fn self_update(&mut self) -> Result<CommitBundle, MlsError> {
        let conversation = self.conversation;
        self.call(|mls, tx| mls.self_update(tx, conversation))
    }

    pub fn merge(&mut self) {
        let conversation = self.conversation;
        self.call(|mls, tx| mls.merge_pending(tx, conversation)).unwrap();
    }

    pub fn join(&mut self, bundle: &CommitBundle) -> Result<super::join::Joined, MlsError> {
        let conversation = self.conversation;
        let me = self.sender();
        let welcome = bundle.welcomes.iter().find(|welcome| welcome.device == me.device).expect("it was added");
        self.call(|mls, tx| mls.join(tx, conversation, ConversationKind::Direct, welcome.payload.as_slice(), None))
    }

    pub fn rejoin(&mut self, group_info: &[u8]) -> Result<CommitBundle, MlsError> {
        let conversation = self.conversation;
        self.call(|mls, tx| mls.join_external(tx, conversation, ConversationKind::Direct, &entrance(group_info)))
            .map(|(_, bundle)| bundle)
    }

    pub fn encrypt(&mut self, text: &str) -> Vec<u8> {
        let conversation = self.conversation;
        self.call(|mls, tx| mls.encrypt(tx, conversation, text.as_bytes())).unwrap().payload
    }

    pub fn process(&mut self, payload: &[u8]) -> Result<Processed, MlsError> {
        let conversation = self.conversation;
        self.call(|mls, tx| mls.process(tx, conversation, payload, None))
    }

    /// The text of a message, which must be one.
    pub fn read(&mut self, payload: &[u8]) -> String {
        match self.process(payload).unwrap() {
            Processed::Message { plaintext, .. } => String::from_utf8(plaintext).unwrap(),
            other => panic!("{other:?} is no message"),
        }
    }

    pub fn state(&self) -> State {
        self.mls.state(self.db.connection(), self.conversation).unwrap()
    }

    pub fn authenticator(&self) -> Vec<u8> {
        self.mls.epoch_authenticator(self.db.connection(), self.conversation).unwrap()
    }

    /// As after a fault that only the MLS state fell victim to.
    pub fn lose_state(&mut self) {
        self.call(|_, tx| {
            tx.execute_batch("DELETE FROM mls_state; DELETE FROM mls_group;")?;
            Ok(())
        })
        .unwrap();
    }
}

/// Of a direct conversation.
pub fn entrance(group_info: &[u8]) -> Entrance<'_> {
    Entrance { group_info, tree: None, invite: None }
}

pub fn invitees(packages: &[(Sender, Vec<u8>)]) -> Vec<Invitee<'_>> {
    packages.iter().map(|(device, package)| Invitee { device: *device, package }).collect()
}

/// A and B in their direct conversation.
pub fn pair() -> (Device, Device) {
    let (mut a, mut b) = (Device::new(1, 11), Device::new(2, 22));
    let bundle = a.create(&mut [&mut b]).unwrap();
    a.merge();
    b.join(&bundle).unwrap();
    (a, b)
}

/// Both can read each other, and agree.
pub fn assert_in_touch(a: &mut Device, b: &mut Device) {
    let message = a.encrypt("from a");
    assert_eq!(b.read(&message), "from a");
    let message = b.encrypt("from b");
    assert_eq!(a.read(&message), "from b");
    assert_eq!(a.authenticator(), b.authenticator());
}
