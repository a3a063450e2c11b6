//! What a large group costs on this machine: `cargo run --release -p tidings-client --example group`.
//!
//! One device adds 1,023 others in one commit. Times are wall-clock, on one thread, databases in memory.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::time::Instant;
use tidings_client::db::Db;
use tidings_client::mls::group::GroupChange;
use tidings_client::mls::key_package::Invitee;
use tidings_client::mls::{Identity, Mls, MlsError};
use tidings_proto::entry::Sender;
use tidings_proto::group::GroupRules;
use tidings_proto::id::{AccountId, ConversationId, DeviceId};

const NOW_S: u64 = 1_700_000_000;
const MESSAGES: u32 = 200;
const MESSAGE: [u8; 100] = [b'x'; 100];

struct Device {
    db: Db,
    mls: Mls,
}

impl Device {
    fn new(number: u16) -> Self {
        let mut db = Db::open_memory().expect("memory");
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let mut seed = [7; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let mut random = ChaCha20Rng::from_seed(seed);
        let (account, device) = (AccountId::from_bytes(bytes), DeviceId::from_bytes(bytes));
        let identity =
            db.transaction(|tx| Identity::create(tx, &mut random, None, account, device, NOW_S)).expect("identity");
        Self { db, mls: Mls::new(identity, seed) }
    }

    fn sender(&self) -> Sender {
        self.mls.identity().sender()
    }

    fn call<T>(&mut self, work: impl FnOnce(&Mls, &rusqlite::Connection) -> Result<T, MlsError>) -> T {
        let Self { db, mls } = self;
        db.transaction(|tx| work(mls, tx)).expect("the example's calls are valid")
    }

    fn key_package(&mut self) -> Vec<u8> {
        self.call(|mls, tx| mls.make_key_packages(tx, 1, false, NOW_S)).remove(0).payload
    }
}

/// Runs it, and prints how long one of `times` took.
fn measure<T>(what: &str, times: u32, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what:<58} {:>10.3} ms", start.elapsed().as_secs_f64() * 1_000.0 / f64::from(times));
    result
}

fn main() {
    for others in [1, 1_023] {
        println!("{} members", others + 1);
        group_with(others);
    }
}

fn group_with(others: u16) {
    let conversation = ConversationId::group([7; 16]);
    let mut first = Device::new(1);
    let packages: Vec<(Sender, Vec<u8>)> = (0..others)
        .map(|number| {
            let mut other = Device::new(number + 2);
            (other.sender(), other.key_package())
        })
        .collect();
    let invitees: Vec<Invitee<'_>> =
        packages.iter().map(|(device, package)| Invitee { device: *device, package }).collect();
    let rules = GroupRules::of_creator(first.sender().account);
    first.call(|mls, tx| mls.create_group(tx, conversation, &rules, &[], NOW_S));
    first.call(|mls, tx| mls.merge_pending(tx, conversation));
    let change = GroupChange { add: &invitees, ..GroupChange::default() };
    let bundle = measure("check the packages, make the commit and the welcomes", 1, || {
        first.call(|mls, tx| mls.change_group(tx, conversation, &change, NOW_S))
    });
    let welcomes: usize = bundle.welcomes.iter().map(|welcome| welcome.payload.len()).sum();
    println!("{:<58} {:>10} bytes", "commit", bundle.payload.len());
    println!("{:<58} {:>10} bytes", "welcomes together", welcomes);
    println!("{:<58} {:>10} bytes", "group info", bundle.group_info.len());
    measure("take it over when it is in the log", 1, || first.call(|mls, tx| mls.merge_pending(tx, conversation)));
    measure("encrypt 100 bytes, in one transaction", MESSAGES, || {
        first.call(|mls, tx| (0..MESSAGES).try_for_each(|_| mls.encrypt(tx, conversation, &MESSAGE).map(drop)))
    });
}
