//! Blobs and backups: bodies of `/v1/blobs` and `/v1/backup`.
//!
//! A blob is opaque, encrypted by the client, and belongs to one account. A backup is a manifest (a blob) that names
//! the others; its key is random, and wrapped under what Argon2id makes of a secret that only the person has. From the
//! same secret comes a proof: the server gives the wrapped key to who shows it, and counts the wrong ones.

use crate::id::BlobId;
use crate::payload::Payload;
use serde::{Deserialize, Serialize};

macro_rules! bodies {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }
        )*
    };
}

bodies! {
    /// `GET /v1/blobs?after=&limit=`: one's own blobs, by id.
    pub struct Blobs {
        pub blobs: Vec<Blob>,
        /// Pass as `after` for the next page; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next: Option<BlobId>,
        /// What all of the account's blobs take, and what they may take.
        pub used_bytes: u64,
        pub quota_bytes: u64,
    }

    pub struct Blob {
        pub blob: BlobId,
        pub bytes: u64,
        pub made_ms: u64,
        /// When the server deletes it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub expires_ms: Option<u64>,
    }

    /// `GET /v1/backup`; 404 `not_found` if the account has none.
    pub struct Backup {
        /// Counts the backups of this account.
        pub generation: u64,
        /// The blob that names all others. Absent: a key was set, and no backup is complete yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub manifest: Option<BlobId>,
        /// When it was completed.
        pub made_ms: u64,
        pub kdf: Kdf,
        /// After wrong guesses: how long no other one is taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub retry_after_ms: Option<u64>,
    }

    /// How a secret becomes a key: Argon2id (RFC 9106), version 0x13, 64 bytes out. The first 32 wrap, the last 32 prove.
    pub struct Kdf {
        pub secret: SecretKind,
        /// 16 random bytes.
        pub salt: Payload,
        pub memory_kib: u32,
        pub passes: u32,
        pub lanes: u32,
    }

    /// `PUT /v1/backup/key`: 204. Replaces the former key, and forgets wrong guesses.
    pub struct PutBackupKey {
        pub kdf: Kdf,
        /// 32 bytes; the server keeps its hash only.
        pub proof: Payload,
        /// The backup key, encrypted; at most [`crate::limit::WRAPPED_KEY_MAX_BYTES`].
        pub wrapped: Payload,
    }

    /// `POST /v1/backup/key/open`: 200 with [`OpenedBackupKey`], 422 `wrong_passphrase`, 429 after several of those.
    pub struct OpenBackupKey {
        pub proof: Payload,
    }

    pub struct OpenedBackupKey {
        pub wrapped: Payload,
    }

    /// `PUT /v1/backup`: 204. The manifest's blobs are all there; 409 `conflict` if `generation` is not the present one's
    /// successor.
    pub struct PutBackup {
        pub generation: u64,
        pub manifest: BlobId,
    }
}

/// What the person keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// Generated, of at least 128 bits: nobody guesses it, the server neither.
    Code,
    /// Chosen by a person.
    Passphrase,
}

/// The media type of blobs.
pub const BLOB_TYPE: &str = "application/octet-stream";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_keep_their_names() {
        let kdf = Kdf { secret: SecretKind::Code, salt: vec![1; 16].into(), memory_kib: 65_536, passes: 3, lanes: 1 };
        let backup = Backup {
            generation: 3,
            manifest: Some(BlobId::from_bytes([2; 16])),
            made_ms: 1_700_000_000_000,
            kdf: kdf.clone(),
            retry_after_ms: None,
        };
        let put = PutBackupKey { kdf, proof: vec![3; 4].into(), wrapped: vec![4; 4].into() };
        insta::assert_json_snapshot!("backup", (backup, put));
    }
}
