//! HTTP and WebSocket: the only room that knows all others.

pub mod problem;
pub mod session;
pub mod socket;

use crate::server::Server;
use std::sync::Arc;

/// Everything that the server answers, without a socket of its own.
pub fn router(server: Arc<Server>) -> axum::Router {
    let (router, _) = utoipa_axum::router::OpenApiRouter::new()
        .merge(crate::conversation::routes())
        .merge(crate::sync::routes())
        .routes(utoipa_axum::routes!(socket::get))
        .split_for_parts();
    router.with_state(server)
}
