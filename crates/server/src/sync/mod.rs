//! Catching up: what moved ([`plan`]), page by page ([`page`]), by polling ([`poll`]), whether a database was put back ([`hello`]), and how far a device is ([`cursor`]).

use crate::server::Server;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub mod cursor;
pub mod hello;
pub mod page;
pub mod plan;
pub mod poll;

/// What this room answers over HTTP.
pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new().routes(routes!(cursor::post)).routes(routes!(poll::get))
}
