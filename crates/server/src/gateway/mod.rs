//! HTTP and WebSocket: the only room that knows all others.
//!
//! * [`listen`] takes connections and ends them gracefully. * [`routes`] names every endpoint. * [`limits`] stands around
//!   all of them: request ids, rate limits, time-outs, panics, the log line, the numbers. * [`problem`] makes problem
//!   documents of what the framework refuses by itself. * [`openapi`] and [`docs`] describe it all; [`health`] says how
//!   the server is; `web` is the web app. * [`socket`] and [`session`] are the live connection.

mod decode;
pub mod docs;
pub mod health;
pub mod limits;
pub mod listen;
pub mod openapi;
pub mod problem;
pub mod routes;
pub mod session;
pub mod socket;
mod web;

use crate::server::Server;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use std::sync::Arc;
use tidings_proto::limit::BODY_MAX_BYTES;

pub use listen::serve;

/// Everything that the server answers, without a socket of its own: a simulation calls it as a function.
pub fn router(server: Arc<Server>) -> Router {
    let (api, document) = routes::api().split_for_parts();
    let gate = Arc::new(limits::Gate::new(&server));
    api.merge(docs::routes(openapi::finish(document)))
        .merge(health::routes())
        .merge(web::routes())
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(problem::no_such_route)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(gate, limits::around))
        // Outermost, so that a page can read refusals too.
        .layer(limits::cross_origin(&server.config.http))
        .with_state(server)
}
