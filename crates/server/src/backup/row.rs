//! The rows of `Table::Backup`.

use crate::error::Result;
use crate::server::Server;
use crate::stored::{self, Stored};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use tidings_proto::backup::Kdf;
use tidings_proto::id::{AccountId, BlobId};
use tidings_proto::limit::BACKUP_GUESSES_FREE;
use tidings_store::{Key as RowKey, Table};

pub(super) const HEAD: &[u8] = b"head";
pub(super) const KEY: &[u8] = b"key";

/// The waits after wrong guesses: the first beyond the free ones, and the longest.
const WAIT_FIRST_MS: u64 = 60_000;
const WAIT_MAX_MS: u64 = 24 * 3_600_000;

/// Version 1 of the row `head`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub generation: u64,
    pub manifest: BlobId,
    pub made_ms: u64,
}

/// Version 1 of the row `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub kdf: Kdf,
    /// SHA-256 of the proof, which is 32 bytes out of Argon2id.
    pub proof_hash: ByteArray<32>,
    #[serde(with = "serde_bytes")]
    pub wrapped: Vec<u8>,
    /// Since the last right guess, and when the last one was.
    pub wrong: u32,
    pub wrong_ms: u64,
}

impl Key {
    /// When the next guess is taken.
    pub fn open_at_ms(&self) -> u64 {
        match self.wrong.checked_sub(BACKUP_GUESSES_FREE) {
            None => 0,
            Some(over) => self.wrong_ms + (WAIT_FIRST_MS << over.min(16)).min(WAIT_MAX_MS),
        }
    }
}

pub(super) async fn head(server: &Server, account: AccountId) -> Result<Option<Stored<Head>>> {
    let row = server.store.get(&RowKey::new(Table::Backup, account.as_bytes(), HEAD)).await?;
    Ok(row.map(|bytes| stored::decode(Table::Backup, bytes)).transpose()?)
}

pub(super) async fn key(server: &Server, account: AccountId) -> Result<Option<Stored<Key>>> {
    let row = server.store.get(&RowKey::new(Table::Backup, account.as_bytes(), KEY)).await?;
    Ok(row.map(|bytes| stored::decode(Table::Backup, bytes)).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_proto::backup::SecretKind;

    fn example() -> Key {
        let kdf =
            Kdf { secret: SecretKind::Passphrase, salt: vec![1; 16].into(), memory_kib: 65_536, passes: 3, lanes: 1 };
        Key { kdf, proof_hash: [2; 32].into(), wrapped: vec![3; 4], wrong: 1, wrong_ms: 1_700_000_000_000 }
    }

    #[test]
    fn stored_forms_do_not_change() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let head = Head { generation: 3, manifest: BlobId::from_bytes([4; 16]), made_ms: 1_700_000_000_000 };
        insta::assert_snapshot!("backup_head_stored", hex(&stored::encode(&head)));
        insta::assert_snapshot!("backup_key_stored", hex(&stored::encode(&example())));
        assert_eq!(stored::decode::<Head>(Table::Backup, stored::encode(&head)).unwrap().value, head);
        assert_eq!(stored::decode::<Key>(Table::Backup, stored::encode(&example())).unwrap().value, example());
    }

    #[test]
    fn wrong_guesses_wait_longer_each_time_up_to_a_day() {
        let wait = |wrong| Key { wrong, ..example() }.open_at_ms().saturating_sub(1_700_000_000_000);
        assert_eq!((wait(0), wait(4), wait(5), wait(6)), (0, 0, 60_000, 120_000));
        assert_eq!((wait(30), wait(u32::MAX)), (WAIT_MAX_MS, WAIT_MAX_MS));
    }
}
