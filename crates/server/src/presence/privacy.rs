//! `GET` and `PUT /v1/me/privacy`.

use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use crate::sharing::{self, Sharing};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::http::Privacy;
use tidings_proto::problem::Problem;

/// What one shares with others and so may see of them, who finds one and who may add one to groups.
#[utoipa::path(
    get, path = "/v1/me/privacy", tag = "presence",
    responses((status = 200, body = Privacy), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(State(server): State<Arc<Server>>, Authenticated(sender): Authenticated) -> Result<Json<Privacy>> {
    let Sharing { last_seen, read_receipts, find_me, add_me, .. } =
        sharing::load_one(&server.store, sender.account).await?;
    Ok(Json(Privacy { last_seen, read_receipts, find_me, add_me }))
}

/// Changes it. `contacts` are those of `PUT /v1/me/contacts`. Whoever watches learns of it at once.
#[utoipa::path(
    put, path = "/v1/me/privacy", tag = "presence", request_body = Privacy,
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Json(body): Json<Privacy>,
) -> Result<StatusCode> {
    let Privacy { last_seen, read_receipts, find_me, add_me } = body;
    let before = sharing::load_one(&server.store, sender.account).await?;
    let reads_since_ms = match read_receipts && !before.read_receipts {
        true => server.clock.now_ms(),
        false => before.reads_since_ms,
    };
    let now = Sharing { last_seen, read_receipts, reads_since_ms, find_me, add_me };
    if before != now {
        sharing::save(&server.store, sender.account, now).await?;
        if before.last_seen != now.last_seen {
            server.online.announce(&server, sender.account);
            server.online.announce_to(&server, sender.account);
        }
        server.lanes.share_reads(&server, sender.account).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
