//! What MLS costs on this machine: `cargo run --release -p tidings-client --example mls`.
//!
//! Times are wall-clock, on one thread. "stored" is a transaction of its own in an encrypted file, with its fsync.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::time::Instant;
use tidings_client::db::Db;
use tidings_client::mls::key_package::Invitee;
use tidings_client::mls::{CommitBundle, Identity, Mls, MlsError};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{AccountId, ConversationId, DeviceId};

const NOW_S: u64 = 1_700_000_000;
const MESSAGES: u32 = 1_000;
const MESSAGE: [u8; 100] = [b'x'; 100];

struct Device {
    db: Db,
    mls: Mls,
}

impl Device {
    fn new(db: Db, account: u8, device: u8) -> Self {
        let mut db = db;
        let mut random = ChaCha20Rng::from_seed([device; 32]);
        let (account, id) = (AccountId::from_bytes([account; 16]), DeviceId::from_bytes([device; 16]));
        let identity =
            db.transaction(|tx| Identity::create(tx, &mut random, None, account, id, NOW_S)).expect("identity");
        Self { db, mls: Mls::new(identity, [device; 32]) }
    }

    fn call<T>(&mut self, work: impl FnOnce(&Mls, &rusqlite::Connection) -> Result<T, MlsError>) -> T {
        let Self { db, mls } = self;
        db.transaction(|tx| work(mls, tx)).expect("the example's calls are valid")
    }
}

/// Runs it, and prints how long one of `times` took.
fn measure<T>(what: &str, times: u32, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what:<58} {:>8.3} ms", start.elapsed().as_secs_f64() * 1_000.0 / f64::from(times));
    result
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let file = Db::open_file(&folder.path().join("client.db"), &[1; 32]).expect("a new database");
    let mut a = Device::new(file, 1, 11);
    let mut b = Device::new(Db::open_memory().expect("memory"), 2, 22);
    let conversation = ConversationId::direct(AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));

    let packages = measure("make a key package, stored, 51 in one transaction", 51, || {
        a.call(|mls, tx| mls.make_key_packages(tx, 50, true, NOW_S))
    });
    println!("{:<58} {:>8} bytes", "key package", packages[0].payload.len());
    let package = b.call(|mls, tx| mls.make_key_packages(tx, 1, false, NOW_S)).remove(0).payload;
    let invitees = [Invitee { device: b.mls.identity().sender(), package: &package }];
    let bundle: CommitBundle = measure("create a conversation, stored", 1, || {
        a.call(|mls, tx| mls.create(tx, conversation, ConversationKind::Direct, &invitees, NOW_S))
    });
    println!("{:<58} {:>8} bytes", "commit", bundle.payload.len());
    println!("{:<58} {:>8} bytes", "welcome", bundle.welcomes[0].payload.len());
    println!("{:<58} {:>8} bytes", "group info", bundle.group_info.len());
    a.call(|mls, tx| mls.merge_pending(tx, conversation));
    measure("join by welcome, in memory", 1, || {
        b.call(|mls, tx| {
            mls.join(tx, conversation, ConversationKind::Direct, bundle.welcomes[0].payload.as_slice(), None)
        })
    });

    let messages: Vec<Vec<u8>> = measure("encrypt, in one transaction", MESSAGES, || {
        a.call(|mls, tx| (0..MESSAGES).map(|_| Ok(mls.encrypt(tx, conversation, &MESSAGE)?.payload)).collect())
    });
    println!("{:<58} {:>8} bytes", "message of 100 bytes", messages[0].len());
    measure("decrypt, in one transaction, in memory", MESSAGES, || {
        b.call(|mls, tx| messages.iter().try_for_each(|message| mls.process(tx, conversation, message, None).map(drop)))
    });
    measure("encrypt, stored", 200, || {
        for _ in 0..200 {
            a.call(|mls, tx| mls.encrypt(tx, conversation, &MESSAGE));
        }
    });
    measure("write one row, stored (for comparison)", 200, || {
        for number in 0..200_u32 {
            a.call(|_, tx| Ok(tx.execute("INSERT OR REPLACE INTO setting VALUES ('k', ?1)", [number])?));
        }
    });
    let update = measure("self-update, stored", 1, || a.call(|mls, tx| mls.self_update(tx, conversation)));
    println!("{:<58} {:>8} bytes", "self-update", update.payload.len());
    measure("process it, in memory", 1, || b.call(|mls, tx| mls.process(tx, conversation, &update.payload, None)));
    for device in [&a, &b] {
        let bytes: u64 = device
            .db
            .connection()
            .query_row("SELECT sum(length(value)) FROM mls_state WHERE group_id != x''", [], |row| row.get(0))
            .expect("there is state");
        println!("{:<58} {bytes:>8} bytes", "state of the group");
    }
}
