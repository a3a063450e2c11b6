//! HTTP and WebSocket: the only room that knows all others.

pub mod problem;

use crate::server::Server;
use std::sync::Arc;

/// Everything that the server answers, without a socket of its own.
pub fn router(server: Arc<Server>) -> axum::Router {
    axum::Router::new().with_state(server)
}
