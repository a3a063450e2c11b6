//! Online and last seen over HTTP, and what one shares of it. Over the socket it is the frames `active` and `watch`;
//! [`crate::online`] has the rules and says how long somebody may seem online who is gone.

use crate::server::Server;
use axum::extract::DefaultBodyLimit;
use std::sync::Arc;
use tidings_proto::limit::CONTACTS_MAX;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub mod contacts;
pub mod privacy;
pub mod show;

/// Every contact is a UUID in quotes.
const CONTACTS_BODY_MAX_BYTES: usize = 48 * CONTACTS_MAX + 1_024;

/// What this room answers over HTTP.
pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new().routes(routes!(show::get)).routes(routes!(privacy::get, privacy::put)).merge(
        OpenApiRouter::new().routes(routes!(contacts::put)).layer(DefaultBodyLimit::max(CONTACTS_BODY_MAX_BYTES)),
    )
}
