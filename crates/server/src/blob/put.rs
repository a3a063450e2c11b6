//! `PUT /v1/blobs/{id}`: takes a blob. Repeating it with the same bytes changes nothing.

use super::row::{self, Blob, DAY_MS};
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tidings_proto::id::{AccountId, BlobId};
use tidings_proto::limit::{BLOB_LIFETIME_MAX_S, BLOB_MAX_BYTES};
use tidings_proto::problem::{Code, Problem};

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The server deletes it by itself after so long; at most 30 days. Without it the blob stays until it is deleted.
    expires_in_s: Option<u64>,
}

/// Put a blob
///
/// It is on the disk when this answers.
#[utoipa::path(
    put, path = "/v1/blobs/{id}", tag = "backup", params(("id" = BlobId, Path), Keep),
    request_body(content = String, content_type = "application/octet-stream", description = "Encrypted by the client."),
    responses(
        (status = 204, description = "It is there."),
        (status = 409, description = "`quota_full`; `conflict`: a blob of this id with other bytes is there.", body = Problem),
        (status = 413, description = "`too_large`", body = Problem),
    )
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(id): Path<BlobId>,
    Query(keep): Query<Keep>,
    bytes: Bytes,
) -> Result<StatusCode> {
    if bytes.is_empty() || bytes.len() > BLOB_MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("A blob has 1 to {BLOB_MAX_BYTES} bytes.")));
    }
    if keep.expires_in_s.is_some_and(|seconds| seconds == 0 || seconds > BLOB_LIFETIME_MAX_S) {
        return Err(Error::new(Code::BadRequest, format!("expires_in_s is 1 to {BLOB_LIFETIME_MAX_S}.")));
    }
    let made_ms = server.clock.now_ms();
    let blob = Blob {
        bytes: bytes.len() as u64,
        hash: <[u8; 32]>::from(Sha256::digest(&bytes)).into(),
        made_ms,
        expires_ms: keep.expires_in_s.map(|seconds| made_ms + seconds * 1_000),
    };
    if is_there(&server, me.account, id, &blob).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    // Before any byte is written.
    row::charge(&server, row::used(&server, me.account).await?.as_ref(), blob.bytes)?;
    row::look_soon(&server, me.account, id).await?;
    server.store.blobs().put(me.account.as_bytes(), id.as_bytes(), bytes).await?;
    if let Some(expires_ms) = blob.expires_ms {
        row::look_on(&server, expires_ms / DAY_MS + 1, me.account, id).await?;
    }
    if !row::add(&server, me.account, id, &blob).await? && !is_there(&server, me.account, id, &blob).await? {
        return Err(Error::new(Code::Overloaded, "This blob is being put twice; try again.").retry_after_ms(1_000));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// An error if other bytes have this name: a name is used once.
async fn is_there(server: &Server, account: AccountId, id: BlobId, blob: &Blob) -> Result<bool> {
    match row::find(server, account, id).await? {
        None => Ok(false),
        Some(there) if there.value.hash == blob.hash => Ok(true),
        Some(_) => Err(Error::new(Code::Conflict, "There is a blob of this id already, with other bytes.")),
    }
}
