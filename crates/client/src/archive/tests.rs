use super::cell::Cell;
use super::chunk::{self, ChunkRef};
use super::manifest::{self, Manifest, Next};
use super::rows::{self, Rows};
use super::table::{self, BOUND, MESSAGE, STATE};
use super::{ArchiveError, pack};
use crate::db::Db;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tidings_proto::id::{AccountId, BlobId};

fn random() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([5; 32])
}

fn example() -> Vec<Rows> {
    let row = vec![
        Cell::Bytes(vec![1; 16]),
        Cell::Text("hello".into()),
        Cell::Integer(i64::MAX),
        Cell::Integer(-1),
        Cell::Null,
        Cell::Real(0.5),
    ];
    let columns = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
    vec![Rows { table: "message".into(), columns, rows: vec![row.clone(), row] }]
}

fn manifest(chunks: Vec<ChunkRef>) -> Manifest {
    Manifest {
        account: AccountId::from_bytes([1; 16]),
        made_ms: 1_700_000_000_000,
        identity: Some(vec![2; 32].into()),
        name: Some("Ann".into()),
        chunks,
        next: Some(Next { blob: BlobId::from_bytes([3; 16]), messages: 7 }),
    }
}

#[test]
fn the_forms_do_not_change() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let plain = rows::encode(&example());
    let (chunk, sealed) = chunk::seal(&mut random(), &plain, 2);
    let manifest = manifest(vec![chunk.clone()]);
    insta::assert_snapshot!("archive_rows", hex(&plain));
    insta::assert_snapshot!("archive_chunk", hex(&sealed));
    insta::assert_snapshot!("archive_manifest", hex(&manifest::seal(&mut random(), &[9; 32], &manifest)));
    assert_eq!(rows::decode(&plain), Ok(example()));
    assert_eq!(chunk::open(&chunk, &sealed), Ok(plain));
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let (chunk, sealed) = chunk::seal(&mut random(), &rows::encode(&example()), 2);
    let key = [9; 32];
    let manifest = manifest(vec![chunk.clone()]);
    let whole = manifest::seal(&mut random(), &key, &manifest);
    assert_eq!(manifest::open(&key, &whole), Ok(manifest));
    for len in 0..sealed.len() {
        assert_eq!(chunk::open(&chunk, &sealed[..len]), Err(ArchiveError::Damaged));
    }
    for len in 0..whole.len() {
        assert_eq!(manifest::open(&key, &whole[..len]), Err(ArchiveError::Damaged));
    }
    for bit in 0..sealed.len() * 8 {
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(chunk::open(&chunk, &bad), Err(ArchiveError::Damaged));
        // Also if whoever changed it could change the hash in the manifest.
        let hash = <sha2::Sha256 as sha2::Digest>::digest(&bad).to_vec().into();
        assert_eq!(chunk::open(&ChunkRef { hash, ..chunk.clone() }, &bad), Err(ArchiveError::Damaged));
    }
    for bit in 0..whole.len() * 8 {
        let mut bad = whole.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(manifest::open(&key, &bad).is_err());
    }
    assert_eq!(manifest::open(&[8; 32], &whole), Err(ArchiveError::Damaged));
    assert_eq!(manifest::open(&key, &[2; 100]), Err(ArchiveError::Newer));
}

#[test]
fn chunks_do_not_stand_in_for_each_other() {
    let mut random = random();
    let plain = rows::encode(&example());
    let (first, first_sealed) = chunk::seal(&mut random, &plain, 2);
    let (second, second_sealed) = chunk::seal(&mut random, &plain, 2);
    assert_ne!(first.key, second.key, "no key is used twice");
    assert_ne!(first_sealed, second_sealed);
    assert_eq!(chunk::open(&first, &second_sealed), Err(ArchiveError::Damaged));
    assert_eq!(chunk::open(&second, &first_sealed), Err(ArchiveError::Damaged));
    // A manifest is no chunk, whatever its key.
    let sealed = manifest::seal(&mut random, &[9; 32], &manifest(vec![]));
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&sealed).to_vec().into();
    let posing = ChunkRef { hash, bytes: sealed.len() as u64, key: vec![9; 32].into(), ..first };
    assert_eq!(chunk::open(&posing, &sealed), Err(ArchiveError::Damaged));
}

#[test]
fn two_manifests_of_one_key_share_nothing() {
    let mut random = random();
    let [a, b] = [(); 2].map(|()| manifest::seal(&mut random, &[9; 32], &manifest(vec![])));
    assert_ne!(a[1..33], b[1..33]);
    assert_ne!(a[33..], b[33..]);
}

#[test]
fn what_unpacks_without_end_is_refused() {
    let (chunk, sealed) = chunk::seal(&mut random(), &vec![0; chunk::PLAIN_MAX_BYTES + 1], 0);
    assert!(sealed.len() < 10_000);
    assert_eq!(chunk::open(&chunk, &sealed), Err(ArchiveError::Damaged));
}

/// What a table has and no archive takes, with a reason for each. A new table is in one of the two, or this fails.
#[test]
fn every_table_is_archived_or_left_out_on_purpose() {
    let left_out = [
        // Secrets of this device, and what it alone has to do.
        "setting identity outbox own_commit job pending_welcome intent astray joining leaving mls_group mls_state ahead orphan",
        // Known again from the groups themselves.
        "group_rules watermark_move gone revoked barred",
        // The server is asked again.
        "nobody",
        // Made of the messages.
        "search search_config search_content search_data search_docsize search_idx",
        // The archive's own.
        "backup archive_chunk archive_dirty archive_garbage import import_chunk deleted history_dirty",
    ];
    let db = Db::open_memory().unwrap();
    let mut statement = db
        .connection()
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .unwrap();
    let tables: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let is_left_out = |name: &str| left_out.iter().any(|names| names.split(' ').any(|other| other == name));
    for name in &tables {
        assert_ne!(table::find(name).is_some(), is_left_out(name), "{name}");
    }
    for table in STATE.iter().chain([&MESSAGE]).chain(BOUND) {
        let columns = table::columns(db.connection(), table).unwrap();
        assert!(table.key.iter().all(|key| columns.iter().any(|column| column == key)), "{}", table.name);
        let named: Vec<&str> = columns.iter().map(String::as_str).collect();
        db.connection().prepare(&table::merge_sql(table, &named)).unwrap();
    }
}

#[test]
fn a_group_that_one_only_asks_to_come_into_is_not_packed() {
    let db = Db::open_memory().unwrap();
    let packed = || -> Vec<Vec<Cell>> {
        let portions = pack::state(db.connection()).unwrap();
        let rows = portions.iter().flat_map(|portion| rows::decode(&portion.plain).unwrap());
        rows.filter(|rows| rows.table == "conversation").flat_map(|rows| rows.rows).collect()
    };
    db.connection()
        .execute_batch(
            "INSERT INTO conversation (conversation, kind) VALUES (zeroblob(16), 1);
             INSERT INTO joining (conversation, secret) VALUES (zeroblob(16), zeroblob(32));",
        )
        .unwrap();
    assert_eq!(packed(), Vec::<Vec<Cell>>::new());
    db.connection().execute_batch("DELETE FROM joining").unwrap();
    assert_eq!(packed().len(), 1, "one is in it, or was");
}

#[test]
fn a_block_of_long_messages_is_cut_into_portions_that_fit() {
    let db = Db::open_memory().unwrap();
    // Noise, which deflate cannot make smaller.
    for index in 0..40_i64 {
        db.connection()
            .execute(
                "INSERT INTO message (message, conversation, seq, account, device, own, time_ms, kind, text, counts)
                 VALUES (randomblob(16), zeroblob(16), ?1, zeroblob(16), zeroblob(16), 0, ?1, 0, hex(randomblob(32000)), 1)",
                [index],
            )
            .unwrap();
    }
    let portions = pack::block(db.connection(), 0).unwrap();
    assert!(portions.len() > 1);
    assert_eq!(portions.iter().map(|portion| portion.messages).sum::<u64>(), 40);
    for portion in &portions {
        assert!(portion.plain.len() <= chunk::PLAIN_MAX_BYTES, "{}", portion.plain.len());
        let (chunk, sealed) = chunk::seal(&mut random(), &portion.plain, 0);
        assert!(sealed.len() <= tidings_proto::limit::BLOB_MAX_BYTES);
        assert_eq!(chunk::open(&chunk, &sealed).as_deref(), Ok(&portion.plain[..]));
    }
}

proptest! {
    #[test]
    fn no_bytes_from_outside_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = rows::decode(&bytes);
        let _ = manifest::open(&[9; 32], &bytes);
        let mut versioned = vec![1];
        versioned.extend_from_slice(&bytes);
        let _ = rows::decode(&versioned);
        let _ = manifest::open(&[9; 32], &versioned);
    }
}
