//! The archive: what this device knows, packed so that another device of the same person can take it over.
//!
//! ```text
//! rows ── CBOR ── deflate ── ChaCha20-Poly1305 under a key of its own ──▶ chunk (a blob)
//! account, identity, the chunks with their keys and hashes, in order ── the same way ──▶ manifest (a blob)
//! ```
//!
//! * **No key meets two plaintexts.** Every chunk has a random key of its own and is never sealed twice; a manifest's key
//!   comes from the archive's key and 32 random bytes that stand before it. So no nonce can repeat, for there is none.
//! * **What is missing, moved or forged is found.** The manifest names each chunk with its size, hash and place, and is
//!   itself authenticated; a chunk that is not what it says is refused whole, and leaves everything as it was.
//! * **Newest first.** The first chunks hold people, chats and settings, then come messages, the newest before the older.
//!   Messages are cut at fixed places ([`pack::BLOCK_MESSAGES`] rows of this device), so that what does not change is not
//!   packed again.
//! * **Importing twice is importing once.** Rows merge by their ids ([`table`] says how); what was deleted here stays gone.
//! * **No MLS state.** A ratchet that runs again from an older point repeats keys. Whoever restores is a new device with
//!   new leaves, and comes into its groups by external commit.
//!
//! [`cell`] and [`rows`]: rows of any table as CBOR. [`table`]: what goes in, and how it merges. [`chunk`], [`manifest`]:
//! the sealed forms. [`pack`], [`unpack`]: from the database, and into it.
//! [`import`]: from blobs, chunk after chunk. [`send`]: to a new device.

pub(crate) mod cell;
pub(crate) mod chunk;
pub(crate) mod import;
pub(crate) mod manifest;
pub(crate) mod pack;
pub(crate) mod rows;
pub(crate) mod send;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod unpack;

/// Why a chunk or a manifest cannot be used. Nothing of it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// Cut, changed, exchanged, or sealed with another key.
    #[error("a part of the archive is damaged, or was exchanged")]
    Damaged,
    /// Update the program.
    #[error("the archive was written by a newer version of this program")]
    Newer,
    /// Of another account than the one that is signed in here.
    #[error("the archive is of another account")]
    OtherAccount,
}
