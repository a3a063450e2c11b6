//! Every endpoint of the API, with its OpenAPI.

use super::{openapi, socket};
use crate::server::Server;
use crate::{account, backup, blob, conversation, keys, presence, report, sync};
use axum::extract::DefaultBodyLimit;
use std::sync::Arc;
use tidings_proto::limit::{DELETION_GROUPS_MAX, LINK_BLOB_MAX_BYTES};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Bodies of the account room: the largest is a lookup of a hundred numbers.
const ACCOUNT_BODY_MAX_BYTES: usize = 16 * 1024;

/// A sealed blob in base64.
const LINK_BODY_MAX_BYTES: usize = 2 * LINK_BLOB_MAX_BYTES;

pub fn api() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(account().layer(DefaultBodyLimit::max(ACCOUNT_BODY_MAX_BYTES)))
        .merge(deletion())
        .merge(link())
        .merge(keys())
        .merge(conversation::routes())
        .merge(presence::routes())
        .merge(sync::routes())
        .merge(blob::routes())
        .merge(backup::routes())
        .merge(report::routes())
        .routes(routes!(socket::get))
}

fn account() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(account::register::register))
        .routes(routes!(account::login::login))
        .routes(routes!(account::token::refresh))
        .routes(routes!(account::token::revoke))
        .routes(routes!(account::me::me))
        .routes(routes!(account::device::list))
        .routes(routes!(account::device::rename, account::device::log_out))
        .routes(routes!(account::device::revoke))
        .routes(routes!(account::lookup::lookup))
        .routes(routes!(account::lock::get, account::lock::put, account::lock::delete))
        .routes(routes!(account::lock::end_reset))
}

/// The groups that were left just before.
fn deletion() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(account::delete::delete))
        .layer(DefaultBodyLimit::max(ACCOUNT_BODY_MAX_BYTES + 64 * DELETION_GROUPS_MAX))
}

/// What is left for a new device may be larger than the bodies of the account room.
fn link() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(account::link::open))
        .routes(routes!(account::link::get, account::link::put))
        .routes(routes!(account::link::redeem))
        .layer(DefaultBodyLimit::max(LINK_BODY_MAX_BYTES))
}

fn keys() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(keys::credential::put))
        .routes(routes!(keys::packages::post, keys::packages::count))
        .routes(routes!(keys::devices::list))
        .routes(routes!(keys::claim::claim))
}
