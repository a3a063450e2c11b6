//! Two devices that talk, the same at every run: what they say to each other is where the fuzzer begins, and what it
//! makes of that is given to one of them. Nothing that a call does stays.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::cell::RefCell;
use std::thread::LocalKey;
use tidings_client::db::Db;
use tidings_client::mls::join::Entrance;
use tidings_client::mls::key_package::Invitee;
use tidings_client::mls::message::Processed;
use tidings_client::mls::{CommitBundle, Identity, Mls, MlsError};
use tidings_proto::entry::{ConversationKind, Sender};
use tidings_proto::id::{AccountId, ConversationId, DeviceId};

/// A fixed day.
const NOW_S: u64 = 1_700_000_000;
const SAID: &[u8] = b"hello";

/// Called with the device's MLS and an open transaction.
type Connection = rusqlite::Connection;

struct Device {
    db: Db,
    mls: Mls,
}

impl Device {
    fn new(byte: u8) -> Self {
        let mut random = ChaCha20Rng::from_seed([byte; 32]);
        let mut db = Db::open_memory().expect("memory suffices");
        let (account, device) = (AccountId::from_bytes([byte; 16]), DeviceId::from_bytes([byte; 16]));
        let identity = db
            .transaction(|tx| Identity::create(tx, &mut random, None, account, device, NOW_S))
            .expect("a new identity can be stored");
        Self { db, mls: Mls::new(identity, [byte; 32]) }
    }

    fn sender(&self) -> Sender {
        self.mls.identity().sender()
    }

    fn call<T>(&mut self, work: impl FnOnce(&Mls, &Connection) -> Result<T, MlsError>) -> T {
        let Self { db, mls } = self;
        db.transaction(|tx| work(mls, tx)).expect("well-formed calls work")
    }

    /// The result of a call that leaves no trace.
    fn attempt<T>(&mut self, work: impl FnOnce(&Mls, &Connection) -> Result<T, MlsError>) -> Result<T, MlsError> {
        let Self { db, mls } = self;
        let mut result = None;
        let undone: Result<(), MlsError> = db.transaction(|tx| {
            result = Some(work(mls, tx));
            Err(MlsError::NoGroup)
        });
        assert!(undone.is_err(), "the transaction was rolled back");
        result.expect("the work ran")
    }
}

fn conversation() -> ConversationId {
    ConversationId::direct(AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]))
}

/// The first device made the conversation and added the second, which has joined if `joined`.
struct World {
    first: Device,
    second: Device,
    creation: CommitBundle,
}

impl World {
    fn new(joined: bool) -> Self {
        let (mut first, mut second) = (Device::new(1), Device::new(2));
        let package = second.call(|mls, tx| mls.make_key_packages(tx, 1, false, NOW_S)).remove(0).payload;
        let invitee = Invitee { device: second.sender(), package: &package };
        let creation =
            first.call(|mls, tx| mls.create(tx, conversation(), ConversationKind::Direct, &[invitee], NOW_S));
        first.call(|mls, tx| mls.merge_pending(tx, conversation()));
        let mut world = Self { first, second, creation };
        if joined {
            let welcome = world.creation.welcomes[0].payload.clone();
            let kind = ConversationKind::Direct;
            world.second.call(|mls, tx| mls.join(tx, conversation(), kind, welcome.as_slice(), None));
        }
        world
    }
}

thread_local! {
    static STRANGERS: RefCell<World> = RefCell::new(World::new(false));
    static FRIENDS: RefCell<World> = RefCell::new(World::new(true));
}

fn with<T>(world: &'static LocalKey<RefCell<World>>, work: impl FnOnce(&mut World) -> T) -> T {
    world.with_borrow_mut(work)
}

/// The payload of an entry of the log. Nobody but the members can make one that reads as a message.
pub fn process(payload: &[u8]) {
    with(&FRIENDS, |world| match world.second.attempt(|mls, tx| mls.process(tx, conversation(), payload, None)) {
        Ok(Processed::Message { plaintext, .. }) => assert_eq!(plaintext, SAID, "a forged message was accepted"),
        Ok(Processed::Own) => panic!("a message of its own that it never made"),
        Ok(Processed::Commit(_)) | Err(_) => {}
    });
}

/// A welcome from the inbox.
pub fn welcome(welcome: &[u8]) {
    with(&STRANGERS, |world| {
        // Most end in an error, of whatever kind.
        let _ = world.second.attempt(|mls, tx| mls.join(tx, conversation(), ConversationKind::Direct, welcome, None));
    });
}

/// The GroupInfo that the server hands to those who rejoin.
pub fn group_info(info: &[u8]) {
    with(&FRIENDS, |world| {
        let kind = ConversationKind::Direct;
        let _ = world.second.attempt(|mls, tx| mls.join_external(tx, conversation(), kind, &Entrance { group_info: info, tree: None, invite: None }));
    });
}

/// A key package that the server gave out for somebody else's device.
pub fn key_package(package: &[u8]) {
    with(&FRIENDS, |world| {
        let invitee = Invitee { device: world.second.sender(), package };
        let kind = ConversationKind::Direct;
        let _ = world.first.attempt(|mls, tx| mls.create(tx, conversation(), kind, &[invitee], NOW_S));
    });
}

/// A signal, said to come from the first device.
pub fn signal(payload: &[u8]) {
    with(&FRIENDS, |world| {
        let sender = world.first.sender();
        if let Ok(plaintext) = world.second.attempt(|mls, tx| mls.open_signal(tx, conversation(), sender, payload)) {
            assert_eq!(plaintext, SAID, "a forged signal was accepted");
        }
    });
}

/// Well-formed input for each of the above, under the name of its target.
pub fn samples() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut strangers = World::new(false);
    let mut friends = World::new(true);
    let package = strangers.second.call(|mls, tx| mls.make_key_packages(tx, 1, false, NOW_S)).remove(0).payload;
    let said = friends.first.call(|mls, tx| mls.encrypt(tx, conversation(), SAID)).payload;
    let signal = friends.first.call(|mls, tx| mls.seal_signal(tx, conversation(), SAID));
    let update = friends.first.call(|mls, tx| mls.self_update(tx, conversation()));
    vec![
        ("mls_process", vec![said, update.payload]),
        ("mls_welcome", vec![strangers.creation.welcomes[0].payload.as_slice().to_vec()]),
        ("mls_group_info", vec![friends.creation.group_info, update.group_info]),
        ("mls_key_package", vec![package]),
        ("mls_signal", vec![signal]),
    ]
}
