//! The database in the browser's private file system (OPFS), encrypted by SQLite3 Multiple Ciphers (ChaCha20-Poly1305
//! per page) with a key that the worker keeps.
//!
//! The pool of files is opened exclusively, for as long as the worker lives: a second tab cannot open it, and must not
//! try to do without. The worker takes a Web Lock first.

use rusqlite::{Connection, OpenFlags};
use sqlite_wasm_rs::WasmOsCallback;
use sqlite_wasm_vfs::sahpool::{OpfsSAHPoolCfgBuilder, install};
use tidings_client::db::Db;
use zeroize::Zeroizing;

const FOLDER: &str = "tidings";
const FILE: &str = "client.db";
const POOL: &str = "tidings-pool";
/// The pool beneath the cipher.
const CIPHER_POOL: &str = "multipleciphers-tidings-pool";
/// The database, its journal, and room for what SQLite makes in between.
const FILES_MAX: usize = 6;
const KEY_BYTES: usize = 32;

pub async fn database(key: Zeroizing<Vec<u8>>) -> Result<Db, String> {
    if key.len() != KEY_BYTES {
        return Err(format!("a key has {KEY_BYTES} bytes"));
    }
    let pool = OpfsSAHPoolCfgBuilder::new().vfs_name(POOL).directory(FOLDER).initial_capacity(FILES_MAX).build();
    install::<WasmOsCallback>(&pool, false).await.map_err(|error| format!("opfs: {error}"))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags_and_vfs(FILE, flags, CIPHER_POOL).map_err(text)?;
    let mut statement = Zeroizing::new(String::with_capacity(128));
    statement.push_str("PRAGMA cipher = 'chacha20'; PRAGMA key = 'raw:");
    for byte in key.iter() {
        for digit in [byte >> 4, byte & 15] {
            statement.push(char::from_digit(u32::from(digit), 16).expect("four bits are one digit"));
        }
    }
    statement.push('\'');
    connection.execute_batch(&statement).map_err(text)?;
    Db::from_connection(connection).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
