//! `GET /healthz` (the process lives), `/readyz` (it can serve: its storage answers), `/metrics`.

use crate::error::{Error, Result};
use crate::server::Server;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tidings_proto::problem::Code;
use tidings_store::{Key, Table};

const NEVER_CACHED: (HeaderName, &str) = (CACHE_CONTROL, "no-store");
const OPENMETRICS: (HeaderName, &str) = (CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8");

pub fn routes() -> Router<Arc<Server>> {
    Router::new().route("/healthz", get(live)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn live() -> impl IntoResponse {
    ([NEVER_CACHED], "ok\n")
}

async fn ready(State(server): State<Arc<Server>>) -> Result<impl IntoResponse> {
    if server.hub.is_closing() {
        return Err(Error::new(Code::ShuttingDown, "The server is going down."));
    }
    // Any row that is always there will do.
    server.store.get(&Key::new(Table::Server, [], b"root")).await?;
    Ok(([NEVER_CACHED], "ready\n"))
}

async fn metrics(State(server): State<Arc<Server>>) -> Result<impl IntoResponse> {
    if !server.config.http.metrics {
        return Err(Error::not_found("page"));
    }
    Ok(([OPENMETRICS, NEVER_CACHED], server.metrics.encode()))
}
