//! A number that is locked with a PIN, and reports to those who run the server.

use crate::common::{World, generous, phone};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_proto::account::Lock;
use tidings_proto::http::Tokens;
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::limit::{PIN_GUESSES_FREE, REPORT_TEXT_MAX_BYTES};
use tidings_proto::problem::{Code, Problem};
use tidings_proto::report::{PostReport, Reported, ReportedMessage};
use tidings_store::{Scan, Table};

const DAY_MS: u64 = 24 * 3_600_000;
const MINUTE_MS: u64 = 60_000;

async fn log_in(world: &World, code: &str, more: Value) -> crate::common::Answer {
    let mut body = json!({ "phone": phone(1), "code": code, "device_name": "thief" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.send(Method::POST, "/v1/login", &body).await
}

#[tokio::test]
async fn a_locked_number_needs_its_pin_and_guessing_takes_ever_longer() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    for bad in ["123", "12345678901234567890123", "12a4", ""] {
        ann.send(Method::PUT, "/v1/account/lock", &json!({ "pin": bad })).await.problem(Code::BadRequest);
    }
    ann.send(Method::PUT, "/v1/account/lock", &json!({ "pin": "2718" })).await.expect(StatusCode::NO_CONTENT);
    let lock: Lock = ann.get("/v1/account/lock").await.json();
    assert_eq!(lock, Lock { on: true, set_ms: world.clock.now_ms(), reset_ms: None });

    // Without a code nobody learns that it is locked.
    log_in(&world, "000000", json!({ "pin": "2718" })).await.problem(Code::InvalidCode);
    let code = world.code_for(&phone(1)).await;
    log_in(&world, &code, json!({})).await.problem(Code::PinRequired);
    for wrong in ["0000", "1111", "2222"] {
        log_in(&world, &code, json!({ "pin": wrong })).await.problem(Code::WrongPin);
    }
    // The right one too has to wait now.
    let problem = log_in(&world, &code, json!({ "pin": "2718" })).await.problem(Code::RateLimited);
    assert_eq!(problem.retry_after_ms, Some(MINUTE_MS));
    world.clock.forward_ms(MINUTE_MS);
    log_in(&world, &code, json!({ "pin": "3333" })).await.problem(Code::WrongPin);
    let problem = log_in(&world, &code, json!({ "pin": "2718" })).await.problem(Code::RateLimited);
    assert_eq!(problem.retry_after_ms, Some(2 * MINUTE_MS));
    world.clock.forward_ms(2 * MINUTE_MS);
    let tokens: Tokens = log_in(&world, &code, json!({ "pin": "2718" })).await.expect(StatusCode::OK).json();
    assert_eq!(tokens.account, ann.tokens.account);
    // The code is used up, and the count begins anew.
    log_in(&world, &code, json!({ "pin": "2718" })).await.problem(Code::InvalidCode);
    let code = world.code_for(&phone(1)).await;
    log_in(&world, &code, json!({ "pin": "4444" })).await.problem(Code::WrongPin);
    ann.delete("/v1/account/lock").await.expect(StatusCode::NO_CONTENT);
    log_in(&world, &code, json!({})).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_pins_at_once_only_a_few_are_looked_at() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    ann.send(Method::PUT, "/v1/account/lock", &json!({ "pin": "9999" })).await.expect(StatusCode::NO_CONTENT);
    let code = world.code_for(&phone(1)).await;
    // None of them is right: that would begin the count anew.
    let tries = (0..25).map(|number| log_in(&world, &code, json!({ "pin": format!("{number:04}") })));
    let answers = futures_util::future::join_all(tries).await;
    let (wrong, refused): (Vec<_>, Vec<_>) =
        answers.iter().map(|answer| answer.json::<Problem>().code).partition(|code| *code == Code::WrongPin);
    assert!((1..=PIN_GUESSES_FREE as usize).contains(&wrong.len()), "{} were looked at", wrong.len());
    assert!(refused.iter().all(|code| matches!(code, Code::RateLimited | Code::Overloaded)), "{refused:?}");
}

#[tokio::test]
async fn who_forgot_the_pin_waits_and_every_device_is_told_and_may_end_it() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    ann.send(Method::PUT, "/v1/account/lock", &json!({ "pin": "2718" })).await.expect(StatusCode::NO_CONTENT);
    let code = world.code_for(&phone(1)).await;
    let problem = log_in(&world, &code, json!({ "forgot_pin": true })).await.problem(Code::PinRequired);
    assert_eq!(problem.retry_after_ms, Some(7 * DAY_MS));
    let opens_ms = world.clock.now_ms() + 7 * DAY_MS;
    let lock: Lock = ann.get("/v1/account/lock").await.json();
    assert_eq!(lock.reset_ms, Some(opens_ms));
    let inbox: Value = ann.get("/v1/sync").await.expect(StatusCode::OK).json();
    let told = inbox["pages"][0]["entries"][0]["body"].clone();
    assert_eq!(told, json!({ "lock_reset": { "opens_ms": opens_ms } }));

    // Asked again, it does not begin again; ended by a device, it does.
    world.clock.forward_ms(DAY_MS);
    let code = world.code_for(&phone(1)).await;
    let problem = log_in(&world, &code, json!({ "forgot_pin": true })).await.problem(Code::PinRequired);
    assert_eq!(problem.retry_after_ms, Some(6 * DAY_MS));
    let ann = world.sign_in_again(ann).await;
    ann.delete("/v1/account/lock/reset").await.expect(StatusCode::NO_CONTENT);
    world.clock.forward_ms(7 * DAY_MS);
    let code = world.code_for(&phone(1)).await;
    log_in(&world, &code, json!({})).await.problem(Code::PinRequired);
    log_in(&world, &code, json!({ "forgot_pin": true })).await.problem(Code::PinRequired);
    world.clock.forward_ms(7 * DAY_MS - 1);
    let code = world.code_for(&phone(1)).await;
    log_in(&world, &code, json!({})).await.problem(Code::PinRequired);
    world.clock.forward_ms(1);
    log_in(&world, &code, json!({})).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_lock_ends_when_no_device_was_here_for_long() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    ann.send(Method::PUT, "/v1/account/lock", &json!({ "pin": "2718" })).await.expect(StatusCode::NO_CONTENT);
    world.clock.forward_ms(29 * DAY_MS);
    let ann = world.sign_in_again(ann).await;
    world.clock.forward_ms(29 * DAY_MS);
    let code = world.code_for(&phone(1)).await;
    log_in(&world, &code, json!({})).await.problem(Code::PinRequired);
    world.clock.forward_ms(DAY_MS);
    let code = world.code_for(&phone(1)).await;
    log_in(&world, &code, json!({})).await.expect(StatusCode::OK);
    drop(ann);
}

#[tokio::test]
async fn reports_are_kept_within_bounds_and_for_a_time() {
    let mut config = generous();
    config.limits.reports_per_account_per_day = 2;
    let world = World::start_with(config).await;
    let ann = world.sign_up(&phone(1)).await;
    let message = |text: String| ReportedMessage {
        message: MessageId::from_bytes([1; 16]),
        sender: AccountId::from_bytes([2; 16]),
        time_ms: 3,
        text,
    };
    let report = |messages| PostReport {
        account: None,
        conversation: ConversationId::from_bytes([4; 16]),
        reason: "spam".into(),
        messages,
    };
    let long = report(vec![message("x".repeat(REPORT_TEXT_MAX_BYTES + 1))]);
    ann.send(Method::POST, "/v1/reports", &long).await.problem(Code::TooLarge);
    let answer = ann.send(Method::POST, "/v1/reports", &report(vec![message("buy".into())])).await;
    let Reported { report: id } = answer.expect(StatusCode::CREATED).json();
    assert_eq!(id.len(), 36);
    ann.send(Method::POST, "/v1/reports", &report(vec![])).await.problem(Code::RateLimited);
    let day = world.clock.now_ms() / DAY_MS;
    let rows = || Scan::all(Table::Report, day.to_be_bytes(), 9);
    assert_eq!(world.server.store.scan(&rows()).await.unwrap().len(), 1);
    world.clock.forward_ms(90 * DAY_MS);
    assert!(world.server.store.scan(&rows()).await.unwrap().is_empty());
}
