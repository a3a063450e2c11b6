//! The rows of blobs, and how they are written.

use crate::error::{Error, Result};
use crate::server::Server;
use crate::stored::{self, Stored};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use tidings_proto::id::{AccountId, BlobId};
use tidings_proto::problem::Code;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Table};

pub(super) const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// The sweep looks at a blob so long after it was begun or deleted. No request takes half as long.
const LOOK_AFTER_DAYS: u64 = 2;
/// How often a change looks again when the account changes another blob at the same time.
const TRIES_MAX: u32 = 16;

/// Version 1 of a row of `Table::Blob`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blob {
    pub bytes: u64,
    /// SHA-256.
    pub hash: ByteArray<32>,
    pub made_ms: u64,
    pub expires_ms: Option<u64>,
}

/// Version 1 of a row of `Table::BlobUse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Use {
    pub bytes: u64,
    pub count: u64,
}

pub(super) async fn find(server: &Server, account: AccountId, blob: BlobId) -> Result<Option<Stored<Blob>>> {
    let row = server.store.get(&Key::new(Table::Blob, account.as_bytes(), blob.as_bytes())).await?;
    Ok(row.map(|bytes| stored::decode(Table::Blob, bytes)).transpose()?)
}

pub(super) async fn used(server: &Server, account: AccountId) -> Result<Option<Stored<Use>>> {
    let row = server.store.get(&Key::new(Table::BlobUse, account.as_bytes(), [])).await?;
    Ok(row.map(|bytes| stored::decode(Table::BlobUse, bytes)).transpose()?)
}

/// The row that makes the sweep look at a blob on `day`.
pub(super) async fn look_on(server: &Server, day: u64, account: AccountId, blob: BlobId) -> Result<()> {
    let row = [*account.as_bytes(), *blob.as_bytes()].concat();
    let batch = Batch::new(Family::BlobDue, day.to_be_bytes()).put(Table::BlobDue, row, Vec::new());
    Ok(server.store.commit(batch).await?)
}

pub(super) async fn look_soon(server: &Server, account: AccountId, blob: BlobId) -> Result<()> {
    look_on(server, server.clock.now_ms() / DAY_MS + LOOK_AFTER_DAYS, account, blob).await
}

/// The bytes are there: from now on they count. `false`: somebody put another blob of this name meanwhile.
pub(super) async fn add(server: &Server, account: AccountId, id: BlobId, blob: &Blob) -> Result<bool> {
    for _ in 0..TRIES_MAX {
        let former = used(server, account).await?;
        let new = charge(server, former.as_ref(), blob.bytes)?;
        let batch = Batch::new(Family::Blob, account.as_bytes())
            .assert(Table::Blob, id.as_bytes(), Assert::Absent)
            .assert(Table::BlobUse, [], former.map_or(Assert::Absent, |former| Assert::Equals(former.bytes)))
            .put(Table::Blob, id.as_bytes(), stored::encode(blob))
            .put(Table::BlobUse, [], stored::encode(&new));
        match server.store.commit(batch).await {
            Ok(()) => return Ok(true),
            Err(CommitError::Conflict(0)) => return Ok(false),
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy())
}

/// What the account uses with one more blob, if it may.
pub(super) fn charge(server: &Server, former: Option<&Stored<Use>>, bytes: u64) -> Result<Use> {
    let former = former.map(|former| former.value).unwrap_or_default();
    let quota = server.config.blob.quota_bytes();
    let new = Use { bytes: former.bytes + bytes, count: former.count + 1 };
    if new.bytes <= quota {
        return Ok(new);
    }
    let detail = format!("This account has {} of {quota} bytes in use; {bytes} more do not fit.", former.bytes);
    Err(Error::new(Code::QuotaFull, detail))
}

/// From now on it does not count; the bytes go after that.
pub(super) async fn remove(server: &Server, account: AccountId, id: BlobId) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let Some(blob) = find(server, account, id).await? else { return Ok(()) };
        let former = used(server, account).await?;
        let value = former.as_ref().map(|former| former.value).unwrap_or_default();
        let left = Use { bytes: value.bytes.saturating_sub(blob.value.bytes), count: value.count.saturating_sub(1) };
        let batch = Batch::new(Family::Blob, account.as_bytes())
            .assert(Table::Blob, id.as_bytes(), Assert::Equals(blob.bytes))
            .assert(Table::BlobUse, [], former.map_or(Assert::Absent, |former| Assert::Equals(former.bytes)))
            .delete(Table::Blob, id.as_bytes());
        let batch = if left.count == 0 {
            batch.delete(Table::BlobUse, [])
        } else {
            batch.put(Table::BlobUse, [], stored::encode(&left))
        };
        match server.store.commit(batch).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy())
}

fn busy() -> Error {
    Error::new(Code::Overloaded, "Too many changes of this account's blobs at once; wait.").retry_after_ms(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn stored_forms_do_not_change() {
        let blob = Blob { bytes: 9, hash: [7; 32].into(), made_ms: 1_700_000_000_000, expires_ms: Some(5) };
        let used = Use { bytes: 10, count: 2 };
        insta::assert_snapshot!("blob_stored", hex(&stored::encode(&blob)));
        insta::assert_snapshot!("use_stored", hex(&stored::encode(&used)));
        assert_eq!(stored::decode::<Blob>(Table::Blob, stored::encode(&blob)).unwrap().value, blob);
        assert_eq!(stored::decode::<Use>(Table::BlobUse, stored::encode(&used)).unwrap().value, used);
    }
}
