//! A server to tell stories to: the real router on a real socket, with codes captured by the real webhook adapter.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tidings_proto::http::Tokens;
use tidings_proto::problem::{Code, Problem};
use tidings_server::config::{Config, SmsAdapter};
use tidings_server::gateway::listen::Ended;
use tidings_server::{Server, gateway};
use tidings_store::{Clock, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const WEBHOOK_SECRET: &str = "between the server and its webhook";

/// A valid mobile number for each `n` below ten million.
pub fn phone(n: u32) -> String {
    format!("+3161{n:07}")
}

/// A clock that starts now and runs only when told to.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(Clock::system().now_ms())))
    }

    pub fn forward_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn for_store(&self) -> Clock {
        let clock = self.clone();
        Clock::new(move || clock.now_ms())
    }
}

/// A running server and what surrounds it.
pub struct World {
    pub server: Arc<Server>,
    pub clock: TestClock,
    pub base: String,
    pub http: reqwest::Client,
    codes: Codes,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Ended>,
}

/// Settings that stand in no story's way.
pub fn generous() -> Config {
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.code_interval_s = 0;
    limits.codes_per_number_per_hour = 1_000;
    limits.codes_per_address_per_hour = 100_000;
    limits.codes_per_minute = 100_000;
    limits.logins_per_address_per_hour = 100_000;
    limits.requests_per_address_per_s = 100_000;
    limits.claims_per_account_per_hour = 100_000;
    config
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(generous()).await
    }

    pub async fn start_with(config: Config) -> Self {
        let clock = TestClock::new();
        let store = Store::memory(clock.for_store());
        Self::start_over(config, store, clock).await
    }

    pub async fn start_over(mut config: Config, store: Store, clock: TestClock) -> Self {
        let codes = Codes::default();
        config.sms.adapter = SmsAdapter::Webhook;
        config.sms.url = Some(codes.listen().await);
        config.sms.secret = Some(WEBHOOK_SECRET.into());
        let server = Arc::new(Server::open(config, store, clock.for_store()).await.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(gateway::serve(server.clone(), listener, async move { drop(stopped.await) }));
        Self { server, clock, base, http: http(), codes, stop: Some(stop), serving }
    }

    /// Shuts down gracefully, and says how that went.
    pub async fn stop(mut self) -> Ended {
        self.begin_stop();
        self.serving.await.unwrap()
    }

    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn send(&self, method: Method, path: &str, body: &impl serde::Serialize) -> Answer {
        Answer::of(self.request(method, path).json(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = self.request(Method::POST, path).body(body.join("&"));
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.form("/v1/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Asks for a code and reads it from the captured text message.
    pub async fn code_for(&self, phone: &str) -> String {
        self.send(Method::POST, "/v1/register", &json!({ "phone": phone })).await.expect(StatusCode::ACCEPTED);
        self.codes.take(&phone.replace(' ', "")).expect("the answer comes after the message was sent")
    }

    pub async fn log_in(&self, phone: &str, code: &str) -> Answer {
        let body = json!({ "phone": phone, "code": code, "device_name": "test" });
        self.send(Method::POST, "/v1/login", &body).await
    }

    /// A person with one device.
    pub async fn sign_up(&self, phone: &str) -> Person<'_> {
        let code = self.code_for(phone).await;
        let tokens = self.log_in(phone, &code).await.expect(StatusCode::OK).json();
        Person { world: self, tokens }
    }

    /// With fresh tokens, after a while.
    pub async fn sign_in_again<'a>(&'a self, person: Person<'a>) -> Person<'a> {
        let tokens = self.refresh(&person.tokens.refresh_token).await.expect(StatusCode::OK).json();
        Person { tokens, ..person }
    }
}

/// Somebody who is signed in, on one device.
pub struct Person<'a> {
    pub world: &'a World,
    pub tokens: Tokens,
}

impl Person<'_> {
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.world.request(method, path).bearer_auth(&self.tokens.access_token)
    }

    pub async fn send(&self, method: Method, path: &str, body: &impl serde::Serialize) -> Answer {
        Answer::of(self.request(method, path).json(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.expect("the body is whole").to_vec() }
    }

    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A problem document with this code, its status and its media type.
    #[track_caller]
    pub fn problem(&self, code: Code) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text());
        let problem: Problem = self.json();
        assert_eq!((problem.code, self.status.as_u16()), (code, code.status()), "{}", self.text());
        assert_eq!(problem.status, code.status());
        if problem.retry_after_ms.is_some() {
            assert!(self.headers.contains_key("retry-after"));
        }
        problem
    }
}

/// The webhook's end: the newest code for each number.
#[derive(Clone, Default)]
struct Codes(Arc<Mutex<HashMap<String, String>>>);

impl Codes {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/sms", listener.local_addr().unwrap());
        let app = Router::new().route("/sms", post(receive)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    fn take(&self, phone: &str) -> Option<String> {
        self.0.lock().unwrap().remove(phone)
    }
}

async fn receive(State(codes): State<Codes>, headers: HeaderMap, Json(message): Json<Value>) -> StatusCode {
    if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {WEBHOOK_SECRET}")) {
        return StatusCode::UNAUTHORIZED;
    }
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    assert!(text("text").contains(&text("code")), "people read the text");
    codes.0.lock().unwrap().insert(text("phone"), text("code"));
    StatusCode::OK
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
