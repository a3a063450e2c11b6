//! `DELETE /v1/blobs/{id}`.

use super::row;
use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::id::{AccountId, BlobId};

/// Delete a blob
///
/// Not an error if there is none.
#[utoipa::path(
    delete, path = "/v1/blobs/{id}", tag = "backup", params(("id" = BlobId, Path)),
    responses((status = 204, description = "It is gone."))
)]
pub async fn delete(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(id): Path<BlobId>,
) -> Result<StatusCode> {
    if row::find(&server, me.account, id).await?.is_some() {
        row::look_soon(&server, me.account, id).await?;
        remove(&server, me.account, id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The row first, then the bytes.
pub(super) async fn remove(server: &Server, account: AccountId, id: BlobId) -> Result<()> {
    row::remove(server, account, id).await?;
    Ok(server.store.blobs().delete(account.as_bytes(), id.as_bytes()).await?)
}
