//! What stands around every request: its id, who may send how many, how long it may take, and what is left of it in the
//! log and the numbers.

use super::problem;
use crate::address::ClientAddress;
use crate::config;
use crate::error::{Error, Result};
use crate::metrics;
use crate::rate::by_address;
use crate::server::Server;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::limit::POLL_WAIT_MAX_S;
use tidings_proto::problem::Code;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;

/// From a request's headers to its answer's, the body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The same for a long poll.
const POLL_TIMEOUT: Duration = Duration::from_secs(POLL_WAIT_MAX_S + 15);
/// When those come back whom the server had no room for.
const BUSY_RETRY_MS: u64 = 1_000;
/// How long a browser remembers what it may do, in seconds.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3_600);

const POLL: &str = "/v1/sync";
const SOCKET: &str = "/v1/socket";
/// Asked by machines of the operator's, and answered however much is going on.
const WATCHED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What [`around`] needs.
#[derive(Debug)]
pub struct Gate {
    server: Arc<Server>,
    /// One for each request that may be under way.
    room: Semaphore,
}

impl Gate {
    pub fn new(server: &Arc<Server>) -> Self {
        let requests_max = server.config.http.requests_max as usize;
        Self { server: server.clone(), room: Semaphore::new(requests_max.min(Semaphore::MAX_PERMITS)) }
    }
}

/// The middleware around everything.
pub async fn around(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let server = &gate.server;
    let began = Instant::now();
    let id = u64::from_be_bytes(server.random.bytes());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let (mut parts, body) = request.into_parts();
    let Ok(ClientAddress(address)) = ClientAddress::from_request_parts(&mut parts, server).await;
    let request = Request::from_parts(parts, body);

    let span = tracing::info_span!("request", id = format_args!("{id:016x}"));
    server.metrics.requests_in_flight.inc();
    let answer = AssertUnwindSafe(answer(&gate, &route, address, request, next)).catch_unwind();
    // The panic's own words went to standard error; the caller learns nothing of them.
    let mut response = answer.instrument(span.clone()).await.unwrap_or_else(|_| problem::internal());
    server.metrics.requests_in_flight.dec();

    let status = response.status();
    let took = began.elapsed();
    server.metrics.request.observe(took);
    let labels = metrics::Request { method: known(&method), route: route.clone(), status: status.as_u16() };
    server.metrics.requests.get_or_create(&labels).inc();
    let address = server.config.log.addresses.then(|| tracing::field::display(address));
    let duration_ms = took.as_millis() as u64;
    let _entered = span.enter();
    if status.is_server_error() {
        tracing::warn!(%method, route, status = status.as_u16(), duration_ms, address, "answered");
    } else {
        tracing::debug!(%method, route, status = status.as_u16(), duration_ms, address, "answered");
    }

    let headers = response.headers_mut();
    let id = HeaderValue::from_str(&format!("{id:016x}")).expect("hex digits are a valid header");
    headers.insert(REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(gate: &Gate, route: &str, address: IpAddr, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let _room = match admit(gate, route, address, request.headers()) {
        Ok(room) => room,
        Err(error) => {
            gate.server.metrics.count_shed("request");
            return error.into_response();
        }
    };
    let limit = if route == POLL { POLL_TIMEOUT } else { REQUEST_TIMEOUT };
    match timeout(limit, next.run(request)).await {
        Ok(response) => problem::documented(&path, response).await,
        Err(_) => Error::new(Code::Timeout, "The request took too long; whether it had an effect is not known.")
            .into_response(),
    }
}

/// Whether this request is begun at all. The permit is held as long as it takes; those who wait by design hold none.
fn admit<'a>(
    gate: &'a Gate,
    route: &str,
    address: IpAddr,
    headers: &HeaderMap,
) -> Result<Option<tokio::sync::SemaphorePermit<'a>>> {
    let server = &gate.server;
    if WATCHED.contains(&route) {
        return Ok(None);
    }
    if server.hub.is_closing() {
        let detail = "The server is going down; come back in a moment.";
        return Err(Error::new(Code::ShuttingDown, detail).retry_after_ms(BUSY_RETRY_MS));
    }
    server.rates.requests_per_address.take(by_address(address))?;
    if route == SOCKET {
        check_origin(headers, &server.config.http.allowed_origins)?;
    }
    if route == SOCKET || route == POLL {
        return Ok(None);
    }
    let busy = |_| Error::new(Code::Overloaded, "Too many requests at once; wait.").retry_after_ms(BUSY_RETRY_MS);
    gate.room.try_acquire().map(Some).map_err(busy)
}

/// A browser sends `Origin` with a WebSocket's request, and there is no CORS for those.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let text = origin.to_str().unwrap_or("");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = text.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    if own || allowed.iter().any(|allowed| allowed == "*" || allowed == text) {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden, "Pages of this origin may not connect; see http.allowed_origins in the settings."))
}

/// CORS: which pages of other origins may use the API.
pub fn cross_origin(http: &config::Http) -> CorsLayer {
    let origin = if http.allowed_origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(http.allowed_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([RETRY_AFTER, REQUEST_ID])
        .max_age(PREFLIGHT_MAX_AGE)
}

/// A label for each method that we know; what others make up is one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tidings_proto::problem::Problem;
    use tidings_store::{Clock, Store};
    use tower::ServiceExt;

    /// The middleware around handlers that misbehave.
    async fn around_bad_handlers(config: Config) -> Router {
        let clock = Clock::new(|| 1_700_000_000_000);
        let server = Arc::new(Server::open(config, Store::memory(clock.clone()), clock).await.unwrap());
        Router::new()
            .route("/panic", get(|| async { panic!("on purpose") as &'static str }))
            .route("/never", get(std::future::pending::<&'static str>))
            .route(POLL, get(std::future::pending::<&'static str>))
            .route("/healthz", get(|| async { "ok" }))
            .layer(axum::middleware::from_fn_with_state(Arc::new(Gate::new(&server)), around))
    }

    async fn ask(router: &Router, path: &str) -> (Code, u64) {
        let began = Instant::now();
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        (problem.code, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_an_answer_and_so_is_a_handler_that_never_ends() {
        let router = around_bad_handlers(Config::default()).await;
        assert_eq!(ask(&router, "/panic").await, (Code::Internal, 0));
        assert_eq!(ask(&router, "/never").await, (Code::Timeout, REQUEST_TIMEOUT.as_secs()));
        assert_eq!(ask(&router, POLL).await, (Code::Timeout, POLL_TIMEOUT.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_requests_are_under_way_and_polls_take_no_room() {
        let mut config = Config::default();
        config.http.requests_max = 2;
        let router = around_bad_handlers(config).await;
        let answered = AtomicU64::new(0);
        let waiting = |path: &'static str| {
            let (router, answered) = (&router, &answered);
            async move {
                ask(router, path).await;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        };
        let full = async {
            tokio::task::yield_now().await;
            assert_eq!(ask(&router, "/never").await, (Code::Overloaded, 0));
            assert_eq!(answered.load(Ordering::Relaxed), 0);
        };
        tokio::join!(waiting("/never"), waiting("/never"), waiting(POLL), full);
        assert_eq!(ask(&router, "/never").await, (Code::Timeout, REQUEST_TIMEOUT.as_secs()), "there is room again");
    }

    fn origin(origin: Option<&str>, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "chat.example.org".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let allowed: Vec<String> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        check_origin(&headers, &allowed).is_ok()
    }

    #[test]
    fn pages_of_other_origins_connect_only_if_allowed() {
        assert!(origin(None, &[]), "programs that are no browsers");
        assert!(origin(Some("https://chat.example.org"), &[]), "our own pages");
        assert!(!origin(Some("https://evil.example"), &[]));
        assert!(!origin(Some("https://chat.example.org.evil.example"), &[]));
        assert!(!origin(Some("null"), &[]));
        assert!(origin(Some("https://app.example"), &["https://app.example"]));
        assert!(origin(Some("https://any.example"), &["*"]));
    }
}
