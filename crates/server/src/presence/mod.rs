//! Online and last seen over HTTP, and what one shares of it. Over the socket it is the frames `active` and `watch`;
//! [`crate::online`] has the rules and says how long somebody may seem online who is gone.

use crate::server::Server;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub mod privacy;
pub mod show;

/// What this room answers over HTTP.
pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new().routes(routes!(show::get)).routes(routes!(privacy::get, privacy::put))
}
