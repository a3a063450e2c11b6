//! The key of an account's database: 32 random bytes in a file that only its owner may read.
//!
//! With `TIDINGS_PASSPHRASE` set when the account is registered, the file holds the key wrapped: ChaCha20-Poly1305 under
//! a key that Argon2id (RFC 9106, second recommended option: 64 MiB, 3 passes, 4 lanes) makes from the passphrase.

use crate::failure::Failure;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;
use zeroize::Zeroizing;

pub type Key = Zeroizing<[u8; 32]>;

const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const ARGON2_LANES: u32 = 4;
/// More than this in a key file is not ours.
const ARGON2_MEMORY_MAX_KIB: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 64;
const WRAP_CONTEXT: &[u8] = b"tidings database key v1";

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum KeyFile {
    Plain { version: u8, key: String },
    Wrapped { version: u8, memory_kib: u32, passes: u32, lanes: u32, salt: String, nonce: String, sealed: String },
}

const VERSION: u8 = 1;

/// Reads the key from `folder`, or makes one.
pub fn load_or_make(folder: &Path, passphrase: Option<&str>) -> Result<Key, Failure> {
    let path = folder.join("key");
    let failed = |what: String| Failure::new(format!("the key file {}: {what}", path.display()));
    match std::fs::read(&path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            open(serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?, passphrase)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if folder.join("tidings.db").exists() {
                return Err(Failure::with(
                    format!("the key file {} is gone: without it the messages here cannot be read", path.display()),
                    "Put it back from a backup, or start anew: tidings logout, then tidings register.",
                ));
            }
            let mut key = Key::default();
            rand::rng().fill_bytes(&mut *key);
            let file = match passphrase {
                None => KeyFile::Plain { version: VERSION, key: STANDARD.encode(*key) },
                Some(passphrase) => wrap(&key, passphrase)?,
            };
            let bytes = Zeroizing::new(serde_json::to_vec(&file).expect("the file always serializes"));
            super::write_private(&path, &bytes).map_err(|error| failed(error.to_string()))?;
            Ok(key)
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

fn wrap(key: &Key, passphrase: &str) -> Result<KeyFile, Failure> {
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    rand::rng().fill_bytes(&mut salt);
    rand::rng().fill_bytes(&mut nonce);
    let wrapping = stretch(passphrase, &salt, ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES)?;
    let sealed = ChaCha20Poly1305::new((&*wrapping).into())
        .encrypt(Nonce::from_slice(&nonce), Payload { msg: &**key, aad: WRAP_CONTEXT })
        .map_err(|_| Failure::new("the key could not be wrapped"))?;
    Ok(KeyFile::Wrapped {
        version: VERSION,
        memory_kib: ARGON2_MEMORY_KIB,
        passes: ARGON2_PASSES,
        lanes: ARGON2_LANES,
        salt: STANDARD.encode(salt),
        nonce: STANDARD.encode(nonce),
        sealed: STANDARD.encode(sealed),
    })
}

fn open(file: KeyFile, passphrase: Option<&str>) -> Result<Key, Failure> {
    let damaged = || Failure::new("the key file is damaged, or was made by a newer version");
    let decode = |text: &str| STANDARD.decode(text).map(Zeroizing::new).map_err(|_| damaged());
    let key = match file {
        KeyFile::Plain { version: VERSION, key } => decode(&Zeroizing::new(key))?,
        KeyFile::Wrapped { version: VERSION, memory_kib, passes, lanes, salt, nonce, sealed }
            if memory_kib <= ARGON2_MEMORY_MAX_KIB && passes <= ARGON2_PASSES_MAX =>
        {
            let passphrase = passphrase.ok_or_else(|| {
                Failure::with("this account is protected by a passphrase", "Set TIDINGS_PASSPHRASE to it.")
            })?;
            let wrapping = stretch(passphrase, &decode(&salt)?, memory_kib, passes, lanes)?;
            let nonce: [u8; 12] = decode(&nonce)?.as_slice().try_into().map_err(|_| damaged())?;
            ChaCha20Poly1305::new((&*wrapping).into())
                .decrypt(Nonce::from_slice(&nonce), Payload { msg: &decode(&sealed)?, aad: WRAP_CONTEXT })
                .map(Zeroizing::new)
                .map_err(|_| Failure::with("the passphrase is wrong", "Set TIDINGS_PASSPHRASE to the right one."))?
        }
        _ => return Err(damaged()),
    };
    Ok(Zeroizing::new(key.as_slice().try_into().map_err(|_| damaged())?))
}

fn stretch(passphrase: &str, salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> Result<Key, Failure> {
    let failed = |error: argon2::Error| Failure::new(format!("the passphrase could not be used: {error}"));
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(failed)?;
    let mut out = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *out)
        .map_err(failed)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_the_same_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_make(folder.path(), None).unwrap();
        assert_eq!(load_or_make(folder.path(), None).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_wrapped_key_needs_its_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let key = load_or_make(folder.path(), Some("correct horse")).unwrap();
        assert_eq!(load_or_make(folder.path(), Some("correct horse")).unwrap(), key);
        assert!(load_or_make(folder.path(), Some("wrong")).unwrap_err().what().contains("wrong"));
        assert!(load_or_make(folder.path(), None).unwrap_err().what().contains("passphrase"));
    }

    #[test]
    fn a_lost_key_beside_a_database_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidings.db"), b"x").unwrap();
        assert!(load_or_make(folder.path(), None).unwrap_err().what().contains("gone"));
        assert!(!folder.path().join("key").exists());
    }
}
