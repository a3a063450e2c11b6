//! What the gateway itself answers: bad requests, floods, documents, the end.

use crate::common::{Answer, World, generous, phone};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tidings_proto::limit::BODY_MAX_BYTES;
use tidings_proto::problem::Code;
use tidings_server::gateway::listen::Ended;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn bad_requests_get_problem_documents() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let json = |path: &str, body: &'static str| {
        world.request(Method::POST, path).header("content-type", "application/json").body(body)
    };
    let malformed = Answer::of(json("/v1/register", "{\"phone\": ")).await.problem(Code::BadRequest);
    assert_eq!(malformed.kind, "/docs/errors#bad_request");
    let missing = Answer::of(json("/v1/register", "{}")).await.problem(Code::BadRequest);
    assert!(missing.detail.contains("phone"), "{}", missing.detail);
    Answer::of(json("/v1/register", "{\"phone\": 31612345678}")).await.problem(Code::BadRequest);
    Answer::of(json("/v1/register", "[]")).await.problem(Code::BadRequest);
    Answer::of(world.request(Method::POST, "/v1/register").body("phone=1")).await.problem(Code::UnsupportedMediaType);
    world.send(Method::POST, "/v1/register", &json!({ "phone": "12" })).await.problem(Code::InvalidPhone);

    let wrong_method = world.get("/v1/login").await;
    wrong_method.problem(Code::MethodNotAllowed);
    assert_eq!(wrong_method.headers["allow"], "POST");
    world.get("/v1/nothing").await.problem(Code::NotFound);
    ann.get("/v1/accounts/nonsense/devices").await.problem(Code::BadRequest);
    ann.get("/v1/accounts/%FF%FE/devices").await.problem(Code::BadRequest);

    for bearer in ["", "nonsense", "tda_", "tda_AAAA", &ann.tokens.refresh_token, &"x".repeat(5_000)] {
        Answer::of(world.request(Method::GET, "/v1/me").bearer_auth(bearer)).await.problem(Code::Unauthorized);
    }
    Answer::of(world.request(Method::GET, "/v1/me").basic_auth("ann", Some("x"))).await.problem(Code::Unauthorized);
}

#[tokio::test]
async fn bodies_have_a_largest_size() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let long = "1".repeat(20_000);
    world.send(Method::POST, "/v1/register", &json!({ "phone": long })).await.problem(Code::TooLarge);
    let request = ann.request(Method::POST, "/v1/keys/packages").header("content-type", "application/json");
    Answer::of(request.body(vec![b' '; BODY_MAX_BYTES + 1])).await.problem(Code::TooLarge);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_no_two_have_the_same() {
    let world = World::start().await;
    let first = world.get("/healthz").await.expect(StatusCode::OK);
    let second = world.get("/v1/nothing").await;
    assert_ne!(first.headers["x-request-id"], second.headers["x-request-id"]);
    assert_eq!(second.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn one_address_sends_so_many_requests_a_second() {
    let mut config = generous();
    config.limits.requests_per_address_per_s = 2;
    config.http.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let world = World::start_with(config).await;
    let ask = async |from: &str| Answer::of(world.request(Method::GET, "/").header("x-forwarded-for", from)).await;
    for _ in 0..20 {
        ask("192.0.2.1").await.expect(StatusCode::OK);
    }
    let refused = ask("192.0.2.1").await;
    assert_eq!(refused.problem(Code::RateLimited).retry_after_ms, Some(500));
    ask("192.0.2.2").await.expect(StatusCode::OK);
    // The operator's machines are answered all the same.
    let health = world.request(Method::GET, "/healthz").header("x-forwarded-for", "192.0.2.1");
    Answer::of(health).await.expect(StatusCode::OK);
    world.clock.forward_ms(500);
    ask("192.0.2.1").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_server_describes_itself_without_asking_anybody_else() {
    let world = World::start().await;
    let document: Value = world.get("/openapi.json").await.expect(StatusCode::OK).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/login"]["post"].is_object());
    assert!(world.get("/about").await.expect(StatusCode::OK).text().contains("Tidings is running"));
    assert!(world.get("/docs/errors").await.expect(StatusCode::OK).text().contains("stale_epoch"));
    let page = world.get("/docs/").await.expect(StatusCode::OK);
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    assert!(page.text().contains("swagger-ui-bundle.js") && !page.text().contains("https://"));
    world.get("/docs/swagger-ui-bundle.js").await.expect(StatusCode::OK);
    assert!(world.get("/docs/swagger-initializer.js").await.text().contains("/openapi.json"));
}

#[tokio::test]
async fn health_and_numbers() {
    let world = World::start().await;
    world.sign_up(&phone(1)).await;
    world.get("/v1/nothing").await;
    world.get("/readyz").await.expect(StatusCode::OK);
    let numbers = world.get("/metrics").await.expect(StatusCode::OK).text();
    for line in [
        "tidings_codes_sent_total 1",
        "tidings_requests_total{method=\"POST\",route=\"/v1/login\",status=\"200\"} 1",
        "tidings_requests_total{method=\"GET\",route=\"other\",status=\"404\"} 1",
    ] {
        assert!(numbers.contains(line), "{line} is not in\n{numbers}");
    }
    assert!(numbers.ends_with("# EOF\n"));
    assert!(!numbers.contains("6100"), "no phone numbers in there");
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_only_if_allowed() {
    let mut config = generous();
    config.http.allowed_origins = vec!["https://app.example".into()];
    let world = World::start_with(config).await;
    let preflight = async |origin: &str| {
        let request = world.request(Method::OPTIONS, "/v1/me").header("origin", origin);
        Answer::of(request.header("access-control-request-method", "GET")).await
    };
    let allowed = preflight("https://app.example").await;
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example");
    assert!(!preflight("https://evil.example").await.headers.contains_key("access-control-allow-origin"));
    let refused = world.request(Method::GET, "/v1/me").header("origin", "https://app.example");
    let refused = Answer::of(refused).await;
    refused.problem(Code::Unauthorized);
    assert_eq!(refused.headers["access-control-allow-origin"], "https://app.example", "the page can read why");
    let socket = world.request(Method::GET, "/v1/socket").header("origin", "https://evil.example");
    Answer::of(socket).await.problem(Code::Forbidden);
}

#[tokio::test]
async fn half_a_request_does_not_keep_the_server_from_ending() {
    let world = World::start().await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    // A connection that waits for its next request ends at once.
    assert_eq!(world.stop().await, Ended::Clean);
    assert!(TcpStream::connect(&address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_shutdown_waits_for_requests_under_way_but_not_for_ever() {
    let mut config = generous();
    config.http.shutdown_s = 1;
    let mut world = World::start_with(config).await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(
        b"POST /v1/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{",
    )
    .await
    .unwrap();
    until(|| world.server.metrics.requests_in_flight.get() == 1).await;
    world.begin_stop();
    until(|| world.server.hub.is_closing()).await;
    slow.write_all(b"\"phone\":\"+31612345678\"}").await.unwrap();
    let mut answer = vec![0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 202");
    assert_eq!(world.stop().await, Ended::Clean);

    let mut config = generous();
    config.http.shutdown_s = 1;
    let world = World::start_with(config).await;
    let mut stuck = TcpStream::connect(world.base.trim_start_matches("http://")).await.unwrap();
    stuck
        .write_all(
            b"POST /v1/register HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\nContent-Type: application/json\r\n\r\n{",
        )
        .await
        .unwrap();
    until(|| world.server.metrics.requests_in_flight.get() == 1).await;
    assert_eq!(world.stop().await, Ended::Cut(1));
}

/// Waits for what another task does soon.
async fn until(condition: impl Fn() -> bool) {
    let soon = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), soon).await.expect("it happens soon");
}
