//! `POST /v1/conversations/{id}/messages`, and the socket's `append`.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::lane::{Lane, Reply};
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::frame::Append;
use tidings_proto::http::{Post, Posted};
use tidings_proto::id::ConversationId;
use tidings_proto::limit::{PAYLOAD_MAX_BYTES, TIMER_MAX_S, TIMER_MIN_S};
use tidings_proto::problem::{Code, Problem};
use tidings_store::log::{NewEntry, Sent};
use tokio::sync::oneshot;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Stores a message; a repeat gives the same answer as the first time.
#[utoipa::path(
    post, path = "/v1/conversations/{id}/messages", tag = "conversations",
    params(("id" = ConversationId, Path)), request_body = Post,
    responses((status = 201, body = Posted), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Path(conversation): Path<ConversationId>,
    Json(post): Json<Post>,
) -> Result<(StatusCode, Json<Posted>)> {
    server.rates.appends_per_device.take(*sender.device.as_bytes())?;
    let Post { message_id, epoch, payload, silent, expires_in_s } = post;
    let (answer, answered) = oneshot::channel();
    let message = Append { conversation, message_id, epoch, payload, silent, expires_in_s };
    let sent = match append(&server, sender, message, Reply::Call(answer)).await? {
        Some(sent) => sent,
        None => answered.await.map_err(|_| lost())??,
    };
    Ok((StatusCode::CREATED, Json(Posted { message_id, seq: sent.seq, time_ms: sent.time_ms })))
}

/// Queues a message behind those that already wait for its conversation. Its place, if it stands there already: whoever may
/// not write any more still learns what became of what was written before.
pub async fn append(server: &Arc<Server>, sender: Sender, append: Append, reply: Reply) -> Result<Option<Sent>> {
    let lane = server.lanes.open(server, append.conversation.into()).await?;
    let message_id = append.message_id;
    let answer = match append_to(&lane, server, sender, append, reply) {
        Ok(()) => Ok(None),
        Err(error) if lane.takes_from(sender) => Err(error),
        Err(error) => match server.log.sent(lane.log, &lane.head(), message_id, sender.device).await {
            Ok(Some(sent)) => Ok(Some(sent)),
            Ok(None) => Err(error),
            Err(unknown) => Err(unknown.into()),
        },
    };
    server.lanes.forget(lane);
    answer
}

/// As [`append()`], with the lane at hand: nothing to wait for.
pub fn append_to(lane: &Arc<Lane>, server: &Arc<Server>, sender: Sender, append: Append, reply: Reply) -> Result<()> {
    if append.payload.len() > PAYLOAD_MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("A message has at most {PAYLOAD_MAX_BYTES} bytes.")));
    }
    if append.expires_in_s.is_some_and(|s| !(TIMER_MIN_S..=TIMER_MAX_S).contains(&s)) {
        let detail =
            format!("A message lives {TIMER_MIN_S} to {TIMER_MAX_S} seconds, or as long as the server keeps it.");
        return Err(Error::new(Code::BadRequest, detail));
    }
    let kept_ms = retention_ms(server);
    let asked_ms = append.expires_in_s.map(|s| s * 1_000);
    let entry = NewEntry {
        message_id: append.message_id,
        sender,
        epoch: append.epoch,
        body: Body::Message { payload: append.payload, silent: append.silent },
        expires_in_ms: Some(asked_ms.map_or(kept_ms, |ms| ms.min(kept_ms))),
    };
    lane.append(server, entry, reply)
}

/// How long messages and welcomes are kept. Commits are kept for ever: they are few, and a device that has them all can
/// follow the epochs however long it was away.
pub fn retention_ms(server: &Server) -> u64 {
    u64::from(server.config.retention_days) * DAY_MS
}

/// The task that commits ended without an answer, which only its own panic can bring about.
pub fn lost() -> Error {
    Error::new(Code::Internal, "The server lost track of this request; try again.")
}
