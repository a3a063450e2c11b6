//! The manifest: which chunks an archive has, in their order, and whose it is.
//!
//! ```text
//! 1 version | 32 random | sealed under HKDF-SHA256(archive key, salt: the random bytes)
//! ```

use super::ArchiveError;
use super::chunk::{self, ChunkRef};
use hkdf::Hkdf;
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::id::{AccountId, BlobId};
use tidings_proto::payload::Payload;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT_BYTES: usize = 32;

/// Fields may be added, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub account: AccountId,
    pub made_ms: u64,
    /// The account's identity key, Ed25519, 32 bytes: in a backup, so that contacts see no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Payload>,
    /// One's own name, as one's contacts see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// State first, then messages, the newest before the older.
    pub chunks: Vec<ChunkRef>,
    /// Where the archive goes on: history that is on its way is sent while it is packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    pub blob: BlobId,
    /// Messages that are still to come, about.
    pub messages: u64,
}

impl Manifest {
    pub fn messages(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.messages).sum()
    }
}

pub(crate) fn seal(random: &mut impl RngCore, key: &[u8; 32], manifest: &Manifest) -> Vec<u8> {
    let mut salt = [0; SALT_BYTES];
    random.fill_bytes(&mut salt);
    let plain = Zeroizing::new(to_cbor(manifest).to_vec());
    let mut sealed = vec![VERSION];
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&chunk::seal_manifest(&derive(key, &salt), &plain));
    sealed
}

pub(crate) fn open(key: &[u8; 32], sealed: &[u8]) -> Result<Manifest, ArchiveError> {
    match sealed.split_first() {
        Some((&VERSION, rest)) => {
            let (salt, sealed) = rest.split_at_checked(SALT_BYTES).ok_or(ArchiveError::Damaged)?;
            let plain = Zeroizing::new(chunk::open_manifest(&derive(key, salt), sealed)?);
            from_cbor(&plain).map_err(|_| ArchiveError::Damaged)
        }
        Some((version, _)) if *version > VERSION => Err(ArchiveError::Newer),
        _ => Err(ArchiveError::Damaged),
    }
}

fn derive(key: &[u8; 32], salt: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(b"tidings archive manifest key v1", derived.as_mut())
        .expect("32 bytes are within what HKDF gives");
    derived
}
