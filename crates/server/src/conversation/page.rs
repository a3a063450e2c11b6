//! `GET /v1/conversations/{id}/messages?before=&after=&limit=`.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use std::sync::Arc;
use tidings_proto::http::Messages;
use tidings_proto::id::ConversationId;
use tidings_proto::limit::{PAGE_MAX_BYTES, PAGE_MAX_ENTRIES};
use tidings_proto::problem::{Code, Problem};
use tidings_store::StoreError;

const LIMIT_DEFAULT: u32 = 50;

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Entries with a seq below this one, the newest of them; without `before` and `after` the newest of all.
    before: Option<u64>,
    /// Entries with a seq above this one, the oldest of them.
    after: Option<u64>,
    limit: Option<u32>,
}

/// Reads entries page by page, in either direction; ascending by seq either way.
#[utoipa::path(
    get, path = "/v1/conversations/{id}/messages", tag = "conversations",
    params(("id" = ConversationId, Path), Range),
    responses((status = 200, body = Messages), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Query(range): Query<Range>,
) -> Result<Json<Messages>> {
    let lane = server.lanes.open(&server, conversation.into()).await?;
    let view = lane.reader(sender.account);
    server.lanes.forget(lane);
    let view = view?;
    let (log, limit) = (conversation.into(), range.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, PAGE_MAX_ENTRIES));
    let page = match (range.before, range.after) {
        (Some(_), Some(_)) => return Err(Error::new(Code::BadRequest, "Give before or after, not both.")),
        (None, Some(after)) => {
            let after = after.max(view.since_seq - 1);
            server.log.page(log, &view.head, after, limit, PAGE_MAX_BYTES).await?
        }
        (before, None) => {
            let before = before.unwrap_or(view.head.seq + 1);
            server.log.page_before(log, &view.head, before, limit, PAGE_MAX_BYTES).await?
        }
    };
    let mut entries = Vec::with_capacity(page.entries.len());
    for stored in &page.entries {
        let entry = stored.decode().map_err(|error| StoreError::Damaged(error.to_string()))?;
        entries.extend((entry.seq >= view.since_seq).then_some(entry));
    }
    Ok(Json(Messages { entries, head: view.head.seq, oldest: page.oldest.max(view.since_seq) }))
}
