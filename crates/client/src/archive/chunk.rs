//! A chunk, sealed: deflate, then ChaCha20-Poly1305 (RFC 8439) under a key that is used for nothing else, so that a nonce
//! of zeros cannot repeat.

use super::ArchiveError;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use rand_chacha::rand_core::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tidings_proto::id::BlobId;
use tidings_proto::limit::BLOB_MAX_BYTES;
use tidings_proto::payload::Payload as Bytes;

/// A plaintext has at most this; deflate adds five bytes for 16 KiB to what it cannot make smaller.
pub(crate) const PLAIN_MAX_BYTES: usize = 1_000 * 1024;
const LEVEL: u8 = 6;
const CONTEXT: &[u8] = b"tidings archive chunk v1";
const MANIFEST_CONTEXT: &[u8] = b"tidings archive manifest v1";

/// What a manifest says of a chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkRef {
    pub blob: BlobId,
    /// 32 bytes.
    pub key: Bytes,
    /// SHA-256 of the sealed bytes.
    pub hash: Bytes,
    pub bytes: u64,
    /// Messages in it.
    pub messages: u64,
}

/// Seals a plaintext under a fresh name and key.
pub(crate) fn seal(random: &mut impl RngCore, plain: &[u8], messages: u64) -> (ChunkRef, Vec<u8>) {
    let mut blob = [0; 16];
    random.fill_bytes(&mut blob);
    let mut key = [0; 32];
    random.fill_bytes(&mut key);
    let sealed = seal_with(&key, CONTEXT, plain);
    let chunk = ChunkRef {
        blob: BlobId::from_bytes(blob),
        key: key.to_vec().into(),
        hash: Sha256::digest(&sealed).to_vec().into(),
        bytes: sealed.len() as u64,
        messages,
    };
    (chunk, sealed)
}

/// The plaintext, if these are the bytes that the manifest speaks of.
pub(crate) fn open(chunk: &ChunkRef, sealed: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let is_it = sealed.len() as u64 == chunk.bytes && Sha256::digest(sealed)[..] == *chunk.hash.as_slice();
    let key: &[u8; 32] = chunk.key.as_slice().try_into().map_err(|_| ArchiveError::Damaged)?;
    if is_it { open_with(key, CONTEXT, sealed) } else { Err(ArchiveError::Damaged) }
}

/// `key` is used once.
pub(super) fn seal_manifest(key: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    seal_with(key, MANIFEST_CONTEXT, plain)
}

pub(super) fn open_manifest(key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    open_with(key, MANIFEST_CONTEXT, sealed)
}

fn seal_with(key: &[u8; 32], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let packed = compress_to_vec(plain, LEVEL);
    ChaCha20Poly1305::new(Key::from_slice(key))
        .encrypt(&Nonce::default(), Payload { msg: &packed, aad: context })
        .expect("a chunk is far below what the cipher takes")
}

fn open_with(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    if sealed.len() > BLOB_MAX_BYTES {
        return Err(ArchiveError::Damaged);
    }
    let packed = ChaCha20Poly1305::new(Key::from_slice(key))
        .decrypt(&Nonce::default(), Payload { msg: sealed, aad: context })
        .map_err(|_| ArchiveError::Damaged)?;
    // Whoever has the key is the person itself; a bound is there all the same.
    decompress_to_vec_with_limit(&packed, PLAIN_MAX_BYTES).map_err(|_| ArchiveError::Damaged)
}
