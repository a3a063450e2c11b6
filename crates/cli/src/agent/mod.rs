//! `tidings agent`: a local HTTP API for programs of this machine, in plain JSON. The agent is a device of its own with
//! the keys; the server never sees plain text.
//!
//! * [`guard`]: who may ask (token, `Host`, `Origin`). * [`token`]: the token's file. * [`problem`]: errors.
//! * [`events`]: what happens, by long poll or as server-sent events. * [`messages`], [`conversations`], [`groups`], [`people`], [`contacts`],
//!   [`status`], [`account`], [`kept`],
//!   [`presence`], [`say`], [`search`]: the endpoints. * [`openapi`]: their description, at `/openapi.json` and `/docs`.

mod account;
mod contacts;
mod conversations;
mod events;
mod groups;
mod guard;
mod kept;
mod messages;
mod openapi;
mod people;
mod presence;
mod problem;
mod profile;
mod say;
mod search;
mod status;
mod token;

use crate::driver::Handle;
use crate::failure::Failure;
use crate::profile::Profile;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use events::Events;
use guard::Guard;
use std::net::SocketAddr;
use std::sync::Arc;
use tidings_proto::limit::PAYLOAD_MAX_BYTES;
use tokio::net::TcpListener;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

pub use token::load_or_make as load_or_make_token;

/// A text with room for JSON's escapes.
const BODY_MAX_BYTES: usize = 6 * PAYLOAD_MAX_BYTES + 16 * 1024;

/// What the endpoints work with.
pub struct Agent {
    handle: Handle,
    profile: Profile,
    events: Events,
    guard: Guard,
    /// Up when the agent ends: long polls answer, streams end.
    stopping: watch::Receiver<bool>,
}

impl Agent {
    /// Waits until the agent ends.
    async fn ending(&self) {
        let mut stopping = self.stopping.clone();
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

/// Who may ask.
pub struct Access {
    pub token: String,
    pub address: SocketAddr,
    /// Further names under which the agent is reached.
    pub hosts: Vec<String>,
    pub allow_remote: bool,
}

/// Serves until `stop` is ready.
pub async fn run(
    handle: Handle,
    profile: Profile,
    listener: TcpListener,
    access: Access,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let (stopping, stopping_out) = watch::channel(false);
    let guard = Guard::new(access);
    let agent = Arc::new(Agent { events: Events::new(), handle, profile, guard, stopping: stopping_out.clone() });
    let collecting = tokio::spawn(events::collect(agent.clone()));
    let mut stopped = stopping_out;
    let serving = axum::serve(listener, router(agent.clone())).with_graceful_shutdown(async move {
        let _ = stopped.wait_for(|stopping| *stopping).await;
    });
    let serving = tokio::spawn(async move { serving.await });
    let abort = collecting.abort_handle();
    let ended = tokio::select! {
        () = stop => Ok(()),
        // Only a log-out ends it before.
        ended = collecting => ended.unwrap_or_else(|_| Err(Failure::new("the agent's events stopped"))),
    };
    abort.abort();
    stopping.send_replace(true);
    let served = serving.await;
    // Requests are over, so nobody else holds it.
    if let Some(agent) = Arc::into_inner(agent) {
        agent.handle.close().await;
    }
    ended?;
    served.map_err(|_| Failure::new("the agent's server stopped"))?.map_err(Failure::from)
}

fn router(agent: Arc<Agent>) -> Router {
    let (api, document) = api().split_for_parts();
    api.merge(openapi::routes(openapi::finish(document)))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(agent.clone(), guard::around))
        .with_state(agent)
}

fn api() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .merge(account::routes())
        .merge(messages::routes())
        .merge(conversations::routes())
        .merge(presence::routes())
        .merge(kept::routes())
        .merge(say::routes())
        .merge(search::routes())
        .merge(groups::routes())
        .merge(profile::routes())
        .merge(people::routes())
        .merge(contacts::routes())
        .merge(events::routes())
        .merge(status::routes())
}
