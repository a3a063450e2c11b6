//! What it costs to pack a long history and to take it over: `cargo run -p tidings-client --example history`.
//!
//! 100,000 messages in 50 chats, every tenth with a reaction, in an encrypted database on the disk, through the same
//! chunks as a backup at the server, a backup file, and the history that a new device gets; without the network. CPU is
//! that of the one thread that does it.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::path::Path;
use std::time::Instant;
use tidings_client::command::FileHead;
use tidings_client::db::Db;
use tidings_client::io::{HttpOutcome, HttpRequest};
use tidings_client::mls::{Identity, MlsError};
use tidings_client::{Client, Command, Input, Options, Output, Reply};
use tidings_proto::id::{AccountId, DeviceId};
use tidings_proto::payload::Payload;

const MESSAGES: usize = 100_000;
const CHATS: usize = 50;
const NOW_MS: u64 = 1_700_000_000_000;
const SECRET: &str = "correct horse battery staple";
const WORDS: [&str; 16] = [
    "tomorrow", "yes", "the", "train", "is", "late", "again", "shall", "we", "meet", "at", "seven", "bring", "bread",
    "and", "😀",
];

/// A device that is signed in, and whose server answers every request with nothing.
struct Device {
    client: Client,
    calls: u64,
}

impl Device {
    fn new(path: &Path, number: u8, prepare: impl FnOnce(&Db)) -> Self {
        let mut db = Db::open_file(path, &[number; 32]).expect("a new file");
        let mut random = ChaCha20Rng::from_seed([number; 32]);
        let (account, device) = (AccountId::from_bytes([1; 16]), DeviceId::from_bytes([number; 16]));
        db.transaction::<_, MlsError>(|tx| {
            Identity::create(tx, &mut random, None, account, device, NOW_MS / 1_000)?;
            tx.execute("INSERT INTO setting VALUES ('access_token', 'x'), ('access_fresh_until_ms', ?1)", [i64::MAX])?;
            Ok(())
        })
        .expect("an identity");
        prepare(&db);
        let client = Client::open(db, Options::new([number; 32])).expect("it opens");
        Self { client, calls: 0 }
    }

    fn ask(&mut self, command: Command) -> Reply {
        self.calls += 1;
        let call = self.calls;
        let mut inputs = vec![Input::Command { id: call, command }];
        while let Some(input) = inputs.pop() {
            for output in self.client.handle(input, NOW_MS) {
                match output {
                    Output::Reply { id, result } if id == call => return result.expect("it works"),
                    Output::Request(HttpRequest { id, path, .. }) if path == "/v1/backup/key" => {
                        let outcome = HttpOutcome::Answer { status: 204, body: Vec::new() };
                        inputs.push(Input::Response { id, outcome });
                    }
                    _ => {}
                }
            }
        }
        panic!("no reply")
    }
}

fn fill(db: &Db) {
    let mut random = ChaCha20Rng::from_seed([3; 32]);
    let mut id = || {
        let mut id = [0; 16];
        random.fill_bytes(&mut id);
        id
    };
    let chats: Vec<[u8; 16]> = (0..CHATS).map(|_| id()).collect();
    let tx = db.connection();
    tx.execute_batch("BEGIN").expect("no transaction is open");
    for chat in &chats {
        tx.execute(
            "INSERT INTO conversation (conversation, kind, standing, created, joined, cursor) VALUES (?1, 1, 1, 1, 1, 9999)",
            [chat],
        )
        .expect("it is new");
    }
    for index in 0..MESSAGES {
        let chat = chats[index * 7 % CHATS];
        let message = id();
        let choice = id();
        let text: Vec<&str> =
            choice[..4 + usize::from(choice[15] % 12)].iter().map(|n| WORDS[usize::from(n % 16)]).collect();
        tx.prepare_cached(
            "INSERT INTO message (message, conversation, seq, account, device, own, time_ms, kind, text, digest, counts)
             VALUES (?1, ?2, ?3, ?4, ?4, 0, ?5, 0, ?6, ?7, 1)",
        )
        .and_then(|mut insert| {
            let (seq, time_ms) = ((index / CHATS + 1) as u64, NOW_MS + index as u64 * 1_000);
            insert.execute(rusqlite::params![message, chat, seq, choice, time_ms, text.join(" "), [choice, message].concat()])
        })
        .expect("it is new");
        if index % 10 == 0 {
            tx.prepare_cached("INSERT INTO reaction VALUES (?1, ?2, ?3, '👍', 5)")
                .and_then(|mut insert| insert.execute([&chat, &message, &choice]))
                .expect("it is new");
        }
    }
    tx.execute_batch("COMMIT").expect("there is room");
}

/// Seconds that this thread has spent on a processor; `None` where the system does not say.
fn cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<u64>().ok()? as f64 / 1e9)
}

fn measure<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, cpu) = (Instant::now(), cpu_s());
    let result = work();
    let spent = cpu_s().zip(cpu).map_or("?".to_owned(), |(after, before)| format!("{:.2}", after - before));
    println!("{what:<34} {:>7.2} s, CPU {spent:>6} s", start.elapsed().as_secs_f64());
    result
}

fn main() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut old = Device::new(&folder.path().join("old.db"), 1, fill);
    measure("choose a passphrase (Argon2id)", || old.ask(Command::SetBackupSecret { passphrase: Some(SECRET.into()) }));
    let parts: Vec<Payload> = measure("pack 100,000 messages", || {
        let mut parts = Vec::new();
        for part in 0.. {
            let Reply::FilePart { bytes, more, .. } = old.ask(Command::BackUpToFile { part }) else {
                panic!("no part")
            };
            parts.push(bytes);
            if !more {
                break;
            }
        }
        parts
    });
    let bytes: usize = parts.iter().map(Payload::len).sum();
    println!("{} parts, {:.1} MB", parts.len(), bytes as f64 / 1e6);

    let mut new = Device::new(&folder.path().join("new.db"), 2, |_| {});
    let (lock, manifest) = (parts[0].as_slice(), parts[parts.len() - 1].as_slice());
    let head = FileHead { lock: lock[12..].to_vec().into(), manifest: manifest[..manifest.len() - 16].to_vec().into() };
    measure("open it (Argon2id)", || new.ask(Command::RestoreFromFile { head, secret: SECRET.into() }));
    let chunks = &parts[1..parts.len() - 1];
    for (what, range) in [("the first two chunks", 0..2), ("the rest", 2..chunks.len())] {
        measure(&format!("take over {what}"), || {
            for index in range {
                new.ask(Command::RestorePart { index: index as u64, bytes: chunks[index].clone() });
            }
        });
    }
    measure("take over everything once more", || {
        for (index, bytes) in (0..).zip(chunks) {
            new.ask(Command::RestorePart { index, bytes: bytes.clone() });
        }
    });
    let db = new.client.into_db();
    let count = |sql: &str| db.connection().query_row(sql, [], |row| row.get::<_, usize>(0)).expect("it counts");
    assert_eq!(count("SELECT count(*) FROM message"), MESSAGES);
    assert_eq!(count("SELECT count(*) FROM reaction"), MESSAGES / 10);
    println!("{MESSAGES} messages are here, once each");
}
