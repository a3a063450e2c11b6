//! `GET /v1/conversations?after=&limit=`.

use super::show::show;
use crate::auth::Authenticated;
use crate::error::Result;
use crate::server::Server;
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use std::sync::Arc;
use tidings_proto::http::Conversations;
use tidings_proto::id::ConversationId;
use tidings_proto::limit::CONVERSATIONS_PAGE_MAX;
use tidings_proto::problem::Problem;
use tidings_store::{Scan, Table};

const LIMIT_DEFAULT: u32 = 50;

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// `next` of the page before.
    after: Option<ConversationId>,
    limit: Option<u32>,
}

/// The account's conversations, by id.
#[utoipa::path(
    get, path = "/v1/conversations", tag = "conversations", params(Range),
    responses((status = 200, body = Conversations), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Query(range): Query<Range>,
) -> Result<Json<Conversations>> {
    let limit = range.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, CONVERSATIONS_PAGE_MAX);
    let mut scan = Scan::all(Table::Membership, sender.account.as_bytes(), limit);
    if let Some(after) = range.after {
        // The least key above: the id and one more byte.
        scan = scan.from([&after.as_bytes()[..], &[0]].concat());
    }
    let rows = server.store.scan(&scan).await?;
    let ids: Vec<ConversationId> = rows.iter().filter_map(|row| ConversationId::from_slice(&row.row)).collect();
    let next = if rows.len() == limit as usize { ids.last().copied() } else { None };
    let mut conversations = Vec::with_capacity(ids.len());
    for id in ids {
        let lane = server.lanes.open(&server, id.into()).await?;
        // A row may point to a conversation that never came to be.
        conversations.extend(show(&lane, sender.account).ok());
        server.lanes.forget(lane);
        tokio::task::coop::consume_budget().await;
    }
    Ok(Json(Conversations { conversations, next }))
}
