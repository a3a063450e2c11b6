//! Blobs: bytes too large for a row, which the server cannot read, each under a name of two ids.
//!
//! A folder beside the database, or memory in tests; both through the `object_store` crate, which knows S3 too. A blob
//! is written to another name, synced, renamed, and its folder synced before [`Blobs::put`] returns. What a blob means
//! stands in rows of the store, which are written after it: a blob without a row is rubbish.

use crate::error::StoreError;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as BlobPath;
use object_store::{ObjectStore, ObjectStoreExt};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "blobs";

/// A handle to all blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
}

impl Blobs {
    pub(crate) fn memory() -> Self {
        Self { objects: Arc::new(InMemory::new()) }
    }

    /// `blobs` in the folder of the store, made if absent.
    pub(crate) fn folder(folder: &Path) -> Result<Self, StoreError> {
        let folder = folder.join(FOLDER);
        let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("{FOLDER}: {error}"));
        std::fs::create_dir_all(&folder).map_err(|error| unavailable(&error))?;
        let objects = LocalFileSystem::new_with_prefix(&folder).map_err(|error| unavailable(&error))?;
        Ok(Self { objects: Arc::new(objects.with_fsync(true).with_automatic_cleanup(true)) })
    }

    /// Durable when it returns. Replaces what was there under this name.
    pub async fn put(&self, owner: &[u8; 16], blob: &[u8; 16], bytes: Bytes) -> Result<(), StoreError> {
        self.objects.put(&path(owner, blob), bytes.into()).await.map_err(failed)?;
        Ok(())
    }

    /// `None` if there is none of this name.
    pub async fn get(&self, owner: &[u8; 16], blob: &[u8; 16]) -> Result<Option<Bytes>, StoreError> {
        match self.objects.get(&path(owner, blob)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed)?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Not an error if there is none of this name.
    pub async fn delete(&self, owner: &[u8; 16], blob: &[u8; 16]) -> Result<(), StoreError> {
        match self.objects.delete(&path(owner, blob)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// `owner/blob`, in hexadecimal digits.
fn path(owner: &[u8; 16], blob: &[u8; 16]) -> BlobPath {
    let mut text = String::with_capacity(2 * 32 + 1);
    for (index, byte) in owner.iter().chain(blob).enumerate() {
        if index == owner.len() {
            text.push('/');
        }
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    BlobPath::from(text)
}

fn failed(error: object_store::Error) -> StoreError {
    StoreError::Unavailable(format!("{FOLDER}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: [u8; 16] = [0xa1; 16];
    const BLOB: [u8; 16] = [0x0b; 16];

    async fn keeps_what_it_was_given(blobs: &Blobs) {
        assert_eq!(blobs.get(&OWNER, &BLOB).await.unwrap(), None);
        blobs.put(&OWNER, &BLOB, Bytes::from_static(b"first")).await.unwrap();
        blobs.put(&OWNER, &BLOB, Bytes::from_static(b"second")).await.unwrap();
        assert_eq!(blobs.get(&OWNER, &BLOB).await.unwrap().unwrap(), "second");
        assert_eq!(blobs.get(&[1; 16], &BLOB).await.unwrap(), None, "each owner has names of their own");
        blobs.delete(&OWNER, &BLOB).await.unwrap();
        blobs.delete(&OWNER, &BLOB).await.unwrap();
        assert_eq!(blobs.get(&OWNER, &BLOB).await.unwrap(), None);
    }

    #[tokio::test]
    async fn memory_and_folder_keep_what_they_were_given() {
        keeps_what_it_was_given(&Blobs::memory()).await;
        let folder = tempfile::tempdir().unwrap();
        keeps_what_it_was_given(&Blobs::folder(folder.path()).unwrap()).await;
    }

    #[tokio::test]
    async fn a_folder_that_is_opened_again_has_them_and_half_written_ones_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        Blobs::folder(folder.path()).unwrap().put(&OWNER, &BLOB, Bytes::from_static(b"kept")).await.unwrap();
        let owner = folder.path().join(FOLDER).join("a1".repeat(16));
        // What a crash leaves of a blob that was not answered.
        std::fs::write(owner.join(format!("{}#1", "0c".repeat(16))), b"ha").unwrap();
        let again = Blobs::folder(folder.path()).unwrap();
        assert_eq!(again.get(&OWNER, &BLOB).await.unwrap().unwrap(), "kept");
        assert_eq!(again.get(&OWNER, &[0x0c; 16]).await.unwrap(), None);
        again.put(&OWNER, &[0x0c; 16], Bytes::from_static(b"whole")).await.unwrap();
        assert_eq!(again.get(&OWNER, &[0x0c; 16]).await.unwrap().unwrap(), "whole");
    }
}
