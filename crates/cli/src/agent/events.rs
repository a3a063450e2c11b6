//! What happens, for programs: by long poll, or as a stream of server-sent events.
//!
//! The newest events are kept in memory under growing numbers, so that a program that asks again with the last number it
//! has misses nothing while the agent runs. A number that is too old, or of a former run, is answered with `missed`.

use super::Agent;
use super::problem::{Problem, Result};
use crate::command::logged_out;
use crate::failure::Failure;
use crate::feed::{Feed, Item};
use crate::show::{out, time};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Events that are kept.
const KEPT_MAX: usize = 10_000;
/// Long polls and streams at once.
const LISTENERS_MAX: usize = 64;
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
const WAIT_MAX_S: u64 = 60;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(events))
}

pub struct Events {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
    listeners: Arc<Semaphore>,
}

struct Kept {
    events: VecDeque<Event>,
    /// The number before the first that is kept.
    before: u64,
}

#[derive(Clone, Serialize, ToSchema)]
pub struct Event {
    /// Grows; pass the last one as `after`.
    id: u64,
    #[serde(flatten)]
    item: Item,
}

#[derive(Serialize, ToSchema)]
struct Page {
    events: Vec<Event>,
    /// Pass as `after` next time.
    next: u64,
    /// Events between `after` and these were lost: look at the conversations anew.
    missed: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// The number of the last event that the program has; without it only what happens from now on.
    after: Option<u64>,
    /// How long to wait if there is nothing yet, in seconds, at most 60; 0 if not given.
    wait: Option<u64>,
    /// At most so many; 100 if not given, at most 1000.
    limit: Option<usize>,
}

impl Events {
    pub fn new() -> Self {
        // Numbers of a later run are higher, whatever happened in a former one.
        let before = time::now_ms() * 1_000;
        let kept = Mutex::new(Kept { events: VecDeque::new(), before });
        Self { kept, newest: watch::Sender::new(before), listeners: Arc::new(Semaphore::new(LISTENERS_MAX)) }
    }

    fn add(&self, item: Item) {
        let id = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.events.len() == KEPT_MAX {
                kept.events.pop_front();
                kept.before += 1;
            }
            let id = kept.before + kept.events.len() as u64 + 1;
            kept.events.push_back(Event { id, item });
            id
        };
        self.newest.send_replace(id);
    }

    fn after(&self, after: u64, limit: usize) -> Page {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = kept.before + kept.events.len() as u64;
        // A number from the future is of another machine or of a clock that ran ahead.
        let missed = after < kept.before || after > newest;
        let from = if missed { kept.before } else { after };
        let skip = usize::try_from(from - kept.before).unwrap_or(usize::MAX);
        let events: Vec<Event> = kept.events.iter().skip(skip).take(limit).cloned().collect();
        let next = events.last().map_or(from, |event| event.id);
        Page { events, next, missed }
    }
}

/// Collects events until the account is logged out.
pub async fn collect(agent: Arc<Agent>) -> std::result::Result<(), Failure> {
    let mut news = agent.handle.listen();
    let mut feed = Feed::start(&agent.handle).await?;
    while let Some(next) = news.next().await {
        for (item, _) in feed.items(&agent.handle, next).await? {
            let reason = match &item {
                Item::LoggedOut { reason } => Some(reason.clone()),
                _ => None,
            };
            agent.events.add(item);
            if let Some(reason) = reason {
                return Err(logged_out(&reason));
            }
        }
    }
    Err(agent.handle.gone())
}

/// What happens.
///
/// With `Accept: text/event-stream` as a stream of server-sent events (which goes on after `Last-Event-ID`), else as one
/// page, which is waited for if there is nothing yet.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(EventQuery),
    responses((status = 200, body = Page), (status = "default", body = Problem)))]
async fn events(
    State(agent): State<Arc<Agent>>,
    headers: HeaderMap,
    query: std::result::Result<Query<EventQuery>, QueryRejection>,
) -> Result<Response> {
    let Query(EventQuery { after, wait, limit }) = query?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is 1 to {LIMIT_MAX}.")));
    }
    if wait.is_some_and(|wait| wait > WAIT_MAX_S) {
        return Err(Problem::bad_request(format!("`wait` is at most {WAIT_MAX_S} seconds.")));
    }
    let overloaded = || Problem::new(503, "overloaded", "Too many programs listen at once.");
    let turn = agent.events.listeners.clone().try_acquire_owned().map_err(|_| overloaded())?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = after.or(last_id).unwrap_or_else(|| *agent.events.newest.borrow());
    if headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream")) {
        return Ok(stream_after(agent, after, turn).into_response());
    }
    let give_up = Instant::now() + Duration::from_secs(wait.unwrap_or(0));
    let page = timeout_at(give_up, next_page(&agent, after, limit)).await;
    let page = page.ok().flatten().unwrap_or_else(|| agent.events.after(after, limit));
    Ok(Json(page).into_response())
}

/// Waits until there is something after that number; `None` when the agent ends.
async fn next_page(agent: &Agent, after: u64, limit: usize) -> Option<Page> {
    let mut newest = agent.events.newest.subscribe();
    loop {
        newest.borrow_and_update();
        let page = agent.events.after(after, limit);
        if page.missed || !page.events.is_empty() {
            return Some(page);
        }
        tokio::select! {
            changed = newest.changed() => changed.ok()?,
            () = agent.ending() => return None,
        }
    }
}

fn stream_after(agent: Arc<Agent>, after: u64, turn: OwnedSemaphorePermit) -> impl IntoResponse {
    let state = (agent, after, VecDeque::<Event>::new(), turn);
    let events = stream::unfold(state, |(agent, mut after, mut ready, turn)| async move {
        if ready.is_empty() {
            let page = next_page(&agent, after, LIMIT_MAX).await?;
            after = page.next;
            ready = page.events.into();
            if page.missed {
                ready.push_front(Event { id: after, item: Item::Missed });
            }
        }
        let event = ready.pop_front()?;
        let told = sse::Event::default().id(event.id.to_string()).data(out::json_text(&event));
        Some((Ok::<_, Infallible>(told), (agent, after, ready, turn)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_what_is_gone_is_said_to_be() {
        let events = Events::new();
        let start = *events.newest.borrow();
        let first = events.after(start, 10);
        assert!(first.events.is_empty() && !first.missed && first.next == start);
        for _ in 0..KEPT_MAX + 5 {
            events.add(Item::CaughtUp);
        }
        let page = events.after(start + 7, 3);
        assert_eq!(page.events.iter().map(|event| event.id - start).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!((page.next, page.missed), (start + 10, false));
        assert!(events.after(start, 1).missed, "the first five are gone");
        assert!(!events.after(start + 5, 1).missed);
        assert!(events.after(start + KEPT_MAX as u64 + 6, 1).missed, "a number that never was");
        assert!(events.after(0, 1).missed);
    }
}
