//! Blobs of an account: encrypted archives, in pieces that the server cannot read.
//!
//! A blob is its bytes (`store::blob`) and a row that says they count. Order of writes: first a row that makes the
//! [`sweep`] look at it in some days, then the bytes, then the blob's own row together with what the account uses;
//! deleting goes the other way round. So a crash leaves bytes without a row at worst, and the sweep finds them.

pub mod delete;
pub mod get;
pub mod list;
pub mod put;
mod row;
pub mod sweep;

use crate::server::Server;
use axum::extract::DefaultBodyLimit;
use std::sync::Arc;
use tidings_proto::limit::BLOB_MAX_BYTES;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(list::get))
        .routes(routes!(put::put, get::get, delete::delete))
        .layer(DefaultBodyLimit::max(BLOB_MAX_BYTES))
}
