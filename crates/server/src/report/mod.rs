//! What people report to those who run the server.

pub mod post;

use crate::server::Server;
use axum::extract::DefaultBodyLimit;
use std::sync::Arc;
use tidings_proto::limit::{REPORT_MESSAGES_MAX, REPORT_REASON_MAX_BYTES, REPORT_TEXT_MAX_BYTES};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// With room for JSON's escapes and the ids.
const BODY_MAX_BYTES: usize = 6 * (REPORT_MESSAGES_MAX * (REPORT_TEXT_MAX_BYTES + 256) + REPORT_REASON_MAX_BYTES);

pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new().routes(routes!(post::post)).layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}
