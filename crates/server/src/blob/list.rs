//! `GET /v1/blobs?after=&limit=`.

use super::row;
use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use crate::stored::{self, Stored};
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use std::sync::Arc;
use tidings_proto::backup::{Blob, Blobs};
use tidings_proto::id::BlobId;
use tidings_proto::limit::BLOBS_PAGE_MAX;
use tidings_store::{Scan, StoreError, Table};

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// `next` of the page before.
    after: Option<BlobId>,
    limit: Option<u32>,
}

/// List one's own blobs
#[utoipa::path(
    get, path = "/v1/blobs", tag = "backup", params(Range),
    responses((status = 200, description = "By id.", body = Blobs))
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Query(range): Query<Range>,
) -> Result<Json<Blobs>> {
    let limit = range.limit.unwrap_or(BLOBS_PAGE_MAX).clamp(1, BLOBS_PAGE_MAX);
    let mut scan = Scan::all(Table::Blob, me.account.as_bytes(), limit);
    if let Some(after) = range.after {
        // The least key above: the id and one more byte.
        scan = scan.from([&after.as_bytes()[..], &[0]].concat());
    }
    let rows = server.store.scan(&scan).await?;
    let is_last = rows.len() < limit as usize;
    let now_ms = server.clock.now_ms();
    let mut blobs = Vec::with_capacity(rows.len());
    let mut next = None;
    for row in rows {
        let id = BlobId::from_slice(&row.row)
            .ok_or_else(|| StoreError::Damaged("blob: a row key is not a blob id".into()))?;
        next = Some(id).filter(|_| !is_last);
        let Stored { value, .. } = stored::decode::<row::Blob>(Table::Blob, row.value)?;
        if value.expires_ms.is_none_or(|at_ms| at_ms > now_ms) {
            let row::Blob { bytes, made_ms, expires_ms, .. } = value;
            blobs.push(Blob { blob: id, bytes, made_ms, expires_ms });
        }
    }
    let used_bytes = row::used(&server, me.account).await?.map_or(0, |used| used.value.bytes);
    Ok(Json(Blobs { blobs, next, used_bytes, quota_bytes: server.config.blob.quota_bytes() }))
}
