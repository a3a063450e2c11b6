//! An account's backup: which blob is its newest manifest, and the wrapped key.
//!
//! The server can read neither. What it adds is a count: the wrapped key goes to who proves to know the secret, and
//! wrong guesses cost more and more time ([`open`]). That holds against everybody but the server itself; what holds
//! against the server is the secret's own strength (docs/decisions/2026-11-21-recovery.md).

pub mod complete;
pub mod key;
pub mod open;
mod row;
pub mod show;

use crate::server::Server;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(show::get, complete::put))
        .routes(routes!(key::put, key::delete))
        .routes(routes!(open::post))
}
