//! `GET /v1/blobs/{id}`: one of one's own blobs, whole.

use super::row;
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::Arc;
use tidings_proto::backup::BLOB_TYPE;
use tidings_proto::id::BlobId;
use tidings_proto::problem::{Code, Problem};

/// Get a blob
#[utoipa::path(
    get, path = "/v1/blobs/{id}", tag = "backup", params(("id" = BlobId, Path)),
    responses(
        (status = 200, description = "Its bytes.", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "`not_found`: it never was, was deleted, or has expired.", body = Problem),
    )
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(id): Path<BlobId>,
) -> Result<impl IntoResponse> {
    let row = row::find(&server, me.account, id).await?;
    let now_ms = server.clock.now_ms();
    let Some(row) = row.filter(|row| row.value.expires_ms.is_none_or(|at_ms| at_ms > now_ms)) else {
        return Err(Error::not_found("blob"));
    };
    let bytes: Option<Bytes> = server.store.blobs().get(me.account.as_bytes(), id.as_bytes()).await?;
    match bytes.filter(|bytes| bytes.len() as u64 == row.value.bytes) {
        Some(bytes) => Ok(([(CONTENT_TYPE, BLOB_TYPE)], bytes)),
        None => {
            tracing::error!(blob = %id, "the bytes of a blob are gone or cut");
            Err(Error::new(Code::Internal, "The server has lost this blob."))
        }
    }
}
