//! Conversations: create, append, commit, read, receipts, blocks. One request, one file.
//!
//! The rules that need only what is in memory stand in [`crate::lane`]; here is what a request may ask for, and what is
//! written around a commit (`pointer`).

use crate::server::Server;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub mod append;
pub mod block;
pub mod commit;
pub mod create;
pub mod group;
pub mod group_info;
pub mod list;
pub mod page;
mod pointer;
pub mod receipt;
pub mod show;
pub mod signal;
pub mod watermarks;

/// What this room answers over HTTP.
pub fn routes() -> OpenApiRouter<Arc<Server>> {
    OpenApiRouter::new()
        .routes(routes!(create::post, list::get))
        .routes(routes!(show::get))
        .routes(routes!(append::post, page::get))
        .routes(routes!(commit::post))
        .routes(routes!(group_info::get, group_info::post))
        .routes(routes!(group::members::put))
        .routes(routes!(group::leave::post, group::leave::get))
        .routes(routes!(group::join::post))
        .routes(routes!(group::request::get, group::request::post))
        .routes(routes!(group::request::delete))
        .routes(routes!(receipt::put))
        .routes(routes!(watermarks::get))
        .routes(routes!(block::get))
        .routes(routes!(block::put, block::delete))
}
