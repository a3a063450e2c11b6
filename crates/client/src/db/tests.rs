use super::*;
use rusqlite::types::ValueRef;

fn tables(db: &Db) -> String {
    let mut statement =
        db.connection().prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    rows.join(";\n")
}

fn set(db: &mut Db, value: &[u8]) {
    db.transaction::<_, DbError>(|tx| Ok(tx.execute("INSERT OR REPLACE INTO setting VALUES ('k', ?1)", [value])?))
        .unwrap();
}

fn get(db: &Db) -> Option<Vec<u8>> {
    db.connection().query_row("SELECT value FROM setting WHERE key = 'k'", [], |row| row.get(0)).ok()
}

#[test]
fn the_schema() {
    insta::assert_snapshot!(tables(&Db::open_memory().unwrap()));
}

#[test]
fn a_database_of_a_newer_program_is_left_alone() {
    let db = Db::open_memory().unwrap();
    db.connection().pragma_update(None, "user_version", 1_000).unwrap();
    let before = tables(&db);
    let connection = db.into_connection();
    let found = Db::from_connection(connection);
    assert!(matches!(found, Err(DbError::NewerSchema { found: 1_000, .. })), "{found:?}");
    assert!(!before.is_empty());
}

#[test]
fn a_transaction_takes_effect_as_a_whole_or_not_at_all() {
    let mut db = Db::open_memory().unwrap();
    set(&mut db, b"before");
    let undone: Result<(), DbError> = db.transaction(|tx| {
        tx.execute("UPDATE setting SET value = x'00'", [])?;
        Err(DbError::InUse)
    });
    assert!(undone.is_err());
    assert_eq!(get(&db).unwrap(), b"before");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<(), DbError> = db.transaction(|tx| {
            tx.execute("UPDATE setting SET value = x'00'", [])?;
            panic!("a fault");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(get(&db).unwrap(), b"before");
}

#[test]
fn the_same_connection_can_be_opened_again() {
    let mut db = Db::open_memory().unwrap();
    set(&mut db, b"kept");
    let db = Db::from_connection(db.into_connection()).unwrap();
    assert_eq!(get(&db).unwrap(), b"kept");
}

#[test]
fn a_file_is_encrypted_and_opens_with_its_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.db");
    let secret = b"a sentence that nobody else may read";
    let mut db = Db::open_file(&path, &[1; 32]).unwrap();
    set(&mut db, secret);
    assert!(matches!(Db::open_file(&path, &[1; 32]), Err(DbError::InUse)), "one process has it");

    // While it is open the newest pages are in the write-ahead log; both files are looked at.
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        assert!(!bytes.windows(6).any(|window| window == b"SQLite"));
    }
    drop(db);
    assert!(matches!(Db::open_file(&path, &[2; 32]), Err(DbError::WrongKey)));
    let db = Db::open_file(&path, &[1; 32]).unwrap();
    assert_eq!(get(&db).unwrap(), secret);
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.db");
    std::fs::write(&path, vec![7; 8_192]).unwrap();
    assert!(matches!(Db::open_file(&path, &[1; 32]), Err(DbError::WrongKey)));
    assert_eq!(std::fs::read(&path).unwrap(), vec![7; 8_192]);
}

#[test]
fn the_promises_about_the_disk_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("client.db"), &[1; 32]).unwrap();
    let pragma = |name: &str| {
        db.connection()
            .pragma_query_value(None, name, |row| {
                Ok(match row.get_ref(0)? {
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                })
            })
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2");
    assert_eq!(pragma("secure_delete"), "1");
    assert_eq!(pragma("foreign_keys"), "1");
    assert_eq!(pragma("locking_mode"), "exclusive");
    assert_eq!(pragma("busy_timeout"), "0");
}
