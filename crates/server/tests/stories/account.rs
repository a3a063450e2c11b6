//! Signing up, in and out.

use crate::common::{Answer, Person, TestClock, World, generous, phone};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_proto::http::{Devices, Found, Me, Registered};
use tidings_proto::id::AccountId;
use tidings_proto::limit::{CONTACTS_MAX, DEVICES_MAX, UNUSED_DEVICE_AFTER_S};
use tidings_proto::problem::Code;
use tidings_store::Store;

#[tokio::test]
async fn a_new_person_signs_up_and_sees_themselves() {
    let world = World::start().await;
    let ann = world.sign_up("+31 6 12 34 56 78").await;
    assert_eq!(ann.tokens.token_type, "Bearer");
    let me: Me = ann.get("/v1/me").await.expect(StatusCode::OK).json();
    assert_eq!((me.account, me.device, me.phone.as_str()), (ann.tokens.account, ann.tokens.device, "+31612345678"));
    let Devices { devices } = ann.get("/v1/devices").await.expect(StatusCode::OK).json();
    assert_eq!(devices.len(), 1);
    assert!(devices[0].current && devices[0].name == "test" && devices[0].created_ms == world.clock.now_ms());
}

#[tokio::test]
async fn a_number_has_one_account_however_often_it_logs_in() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await;
    let second = world.sign_up(&phone(1)).await;
    let other = world.sign_up(&phone(2)).await;
    assert_eq!(first.tokens.account, second.tokens.account);
    assert_ne!(first.tokens.device, second.tokens.device);
    assert_ne!(first.tokens.account, other.tokens.account);
    let Devices { devices } = first.get("/v1/devices").await.json();
    assert_eq!(devices.len(), 2);
}

#[tokio::test]
async fn the_answer_to_register_does_not_tell_who_is_registered() {
    let world = World::start().await;
    world.sign_up(&phone(1)).await;
    let mut answers = Vec::new();
    for number in [phone(1), phone(2)] {
        let answer = world.send(Method::POST, "/v1/register", &json!({ "phone": number })).await;
        let registered: Registered = answer.json();
        assert_eq!(registered.expires_in_s, 600);
        let mut headers: Vec<String> = answer.headers.keys().map(|name| name.to_string()).collect();
        headers.sort();
        let wrong = world.log_in(&number, "000000").await;
        answers.push((answer.status, answer.body, headers, wrong.problem(Code::InvalidCode)));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn five_wrong_codes_use_the_right_one_up() {
    let world = World::start().await;
    let code = world.code_for(&phone(1)).await;
    let wrong = if code == "123456" { "123457" } else { "123456" };
    for _ in 0..5 {
        world.log_in(&phone(1), wrong).await.problem(Code::InvalidCode);
    }
    world.log_in(&phone(1), &code).await.problem(Code::InvalidCode);
    let code = world.code_for(&phone(1)).await;
    world.log_in(&phone(1), &code).await.expect(StatusCode::OK);
    world.log_in(&phone(1), &code).await.problem(Code::InvalidCode);
}

#[tokio::test]
async fn a_code_expires_after_ten_minutes() {
    let world = World::start().await;
    let code = world.code_for(&phone(1)).await;
    world.clock.forward_ms(600_000);
    world.log_in(&phone(1), &code).await.problem(Code::InvalidCode);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_logins_with_one_code_one_succeeds() {
    let world = World::start().await;
    let code = world.code_for(&phone(1)).await;
    let number = phone(1);
    let answers = futures_util::future::join_all((0..20).map(|_| world.log_in(&number, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
    let account = |answers: &[crate::common::Answer]| {
        let won = answers.iter().find(|answer| answer.status == StatusCode::OK).expect("one succeeds");
        won.json::<Value>()["account"].clone()
    };
    let again = world.code_for(&phone(1)).await;
    assert_eq!(account(&answers), account(&[world.log_in(&phone(1), &again).await]));
}

#[tokio::test]
async fn who_asks_for_too_many_codes_waits() {
    let mut config = generous();
    config.limits.codes_per_number_per_hour = 2;
    config.limits.code_interval_s = 20;
    let world = World::start_with(config).await;
    let register = async || world.send(Method::POST, "/v1/register", &json!({ "phone": phone(1) })).await;
    register().await.expect(StatusCode::ACCEPTED);
    let soon = register().await;
    assert_eq!(soon.problem(Code::RateLimited).retry_after_ms, Some(20_000));
    assert_eq!(soon.headers["retry-after"], "20");
    world.clock.forward_ms(20_000);
    register().await.expect(StatusCode::ACCEPTED);
    world.clock.forward_ms(20_000);
    register().await.problem(Code::RateLimited);
    world.send(Method::POST, "/v1/register", &json!({ "phone": phone(2) })).await.expect(StatusCode::ACCEPTED);
    world.clock.forward_ms(1_800_000);
    register().await.expect(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn one_address_gets_so_many_codes_and_attempts() {
    let mut config = generous();
    config.limits.codes_per_address_per_hour = 3;
    config.limits.logins_per_address_per_hour = 3;
    let world = World::start_with(config).await;
    for n in 0..3 {
        world.code_for(&phone(n)).await;
        world.log_in(&phone(n), "000000").await.problem(Code::InvalidCode);
    }
    world.send(Method::POST, "/v1/register", &json!({ "phone": phone(3) })).await.problem(Code::RateLimited);
    world.log_in(&phone(0), "000000").await.problem(Code::RateLimited);
}

#[tokio::test]
async fn a_code_that_cannot_be_sent_is_said_to_be_so() {
    let mut world = World::start().await;
    let mut config = generous();
    // Nobody listens on a port that was just given back.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    config.sms.url = Some(format!("http://{gone}/sms"));
    config.sms.adapter = tidings_server::config::SmsAdapter::Webhook;
    let server = tidings_server::Server::open(config, world.server.store.clone(), world.clock.for_store()).await;
    let server = std::sync::Arc::new(server.unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(tidings_server::gateway::serve(server, listener, std::future::pending()));
    let answer = world.send(Method::POST, "/v1/register", &json!({ "phone": phone(1) })).await;
    assert!(answer.problem(Code::SmsFailed).retry_after_ms.is_some());
}

#[tokio::test]
async fn an_account_has_so_many_devices_and_no_more() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await;
    for _ in 1..DEVICES_MAX {
        world.sign_up(&phone(1)).await;
    }
    let code = world.code_for(&phone(1)).await;
    let refused = world.log_in(&phone(1), &code).await.problem(Code::TooLarge);
    assert!(refused.detail.contains("10 devices"), "{}", refused.detail);
    let Devices { devices } = first.get("/v1/devices").await.json();
    let other = devices.iter().find(|device| !device.current).unwrap().device;
    first.delete(&format!("/v1/devices/{other}")).await.expect(StatusCode::NO_CONTENT);
    world.sign_up(&phone(1)).await;
}

#[tokio::test]
async fn a_login_whose_answer_was_lost_takes_nobodys_place_for_ever() {
    let world = World::start().await;
    let lost = world.sign_up(&phone(1)).await;
    for _ in 1..DEVICES_MAX {
        world.sign_up(&phone(1)).await.get("/v1/me").await.expect(StatusCode::OK);
    }
    let code = world.code_for(&phone(1)).await;
    // Its answer may still be on its way.
    world.log_in(&phone(1), &code).await.problem(Code::TooLarge);
    world.clock.forward_ms(UNUSED_DEVICE_AFTER_S * 1_000);
    let next = world.sign_up(&phone(1)).await;
    let Devices { devices } = next.get("/v1/devices").await.expect(StatusCode::OK).json();
    assert_eq!(devices.len(), DEVICES_MAX);
    assert!(devices.iter().all(|device| device.device != lost.tokens.device));
    lost.get("/v1/me").await.problem(Code::LoggedOut);
    // All of them were used now.
    world.clock.forward_ms(UNUSED_DEVICE_AFTER_S * 1_000);
    let code = world.code_for(&phone(1)).await;
    world.log_in(&phone(1), &code).await.problem(Code::TooLarge);
}

#[tokio::test]
async fn a_device_that_is_logged_out_is_out_at_once() {
    let world = World::start().await;
    let (laptop, phone_device) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(1)).await);
    let stranger = world.sign_up(&phone(2)).await;
    let path = format!("/v1/devices/{}", phone_device.tokens.device);
    stranger.delete(&path).await.problem(Code::NotFound);
    phone_device.get("/v1/me").await.expect(StatusCode::OK);
    laptop.delete(&path).await.expect(StatusCode::NO_CONTENT);
    phone_device.get("/v1/me").await.problem(Code::LoggedOut);
    world.refresh(&phone_device.tokens.refresh_token).await.problem(Code::InvalidGrant);
    laptop.get("/v1/me").await.expect(StatusCode::OK);
    laptop.delete(&path).await.problem(Code::NotFound);
}

#[tokio::test]
async fn people_are_found_by_number_within_the_daily_limit() {
    let mut config = generous();
    config.limits.lookups_per_account_per_day = 10;
    let world = World::start_with(config).await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    let written = format!("+31 (0)6 {}", &phone(2)[4..]);
    let body = json!({ "phones": [written, phone(3), "nonsense", ""] });
    let Found { matches } = ann.send(Method::POST, "/v1/contacts/lookup", &body).await.expect(StatusCode::OK).json();
    assert_eq!(matches.len(), 1);
    assert_eq!((&matches[0].phone, matches[0].account), (&written, ben.tokens.account));

    let many = vec![phone(2); 101];
    ann.send(Method::POST, "/v1/contacts/lookup", &json!({ "phones": many })).await.problem(Code::TooLarge);
    let seven = vec![phone(2); 7];
    let refused = ann.send(Method::POST, "/v1/contacts/lookup", &json!({ "phones": seven })).await;
    assert!(refused.problem(Code::RateLimited).retry_after_ms.is_some());
    world.send(Method::POST, "/v1/contacts/lookup", &body).await.problem(Code::Unauthorized);

    // What was refused was not counted, and neither a restart nor a new device begins anew.
    let tokens = ann.tokens.access_token.clone();
    let (store, clock) = (world.server.store.clone(), world.clock.clone());
    world.stop().await;
    let mut config = generous();
    config.limits.lookups_per_account_per_day = 10;
    let world = World::start_over(config, store, clock).await;
    let look_up = async |count: usize| {
        let body = json!({ "phones": vec![phone(2); count] });
        Answer::of(world.request(Method::POST, "/v1/contacts/lookup").bearer_auth(&tokens).json(&body)).await
    };
    look_up(6).await.expect(StatusCode::OK);
    let refused = look_up(1).await.problem(Code::RateLimited);
    let wait_ms = refused.retry_after_ms.expect("it says when to come back");
    assert!(wait_ms <= 86_400_000);
}

#[tokio::test]
async fn somebody_is_found_by_those_whom_they_let() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    let finds = async |who: &Person<'_>| {
        let body = json!({ "phones": [phone(2)] });
        let found: Found = who.send(Method::POST, "/v1/contacts/lookup", &body).await.expect(StatusCode::OK).json();
        found.matches.len() == 1
    };
    let lets = async |find_me: &str| {
        let body = json!({ "last_seen": "everyone", "read_receipts": true, "find_me": find_me });
        ben.send(Method::PUT, "/v1/me/privacy", &body).await.expect(StatusCode::NO_CONTENT);
    };
    let knows = async |accounts: Vec<AccountId>| {
        ben.send(Method::PUT, "/v1/me/contacts", &json!({ "accounts": accounts })).await
    };
    assert!(finds(&ann).await);
    lets("nobody").await;
    assert!(!finds(&ann).await && finds(&ben).await);
    lets("contacts").await;
    assert!(!finds(&ann).await);
    let me = ann.tokens.account;
    knows(vec![me]).await.expect(StatusCode::NO_CONTENT);
    assert!(finds(&ann).await);
    knows(vec![]).await.expect(StatusCode::NO_CONTENT);
    assert!(!finds(&ann).await);
    knows(vec![me; CONTACTS_MAX + 1]).await.problem(Code::TooLarge);
    knows(vec![me; CONTACTS_MAX]).await.expect(StatusCode::NO_CONTENT);
    assert!(finds(&ann).await);
}

#[tokio::test]
async fn all_accounts_together_look_up_so_many_numbers_in_a_day() {
    let mut config = generous();
    config.limits.lookups_per_account_per_day = 10;
    config.limits.lookups_per_day = 15;
    let world = World::start_with(config).await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    let ten = json!({ "phones": vec![phone(3); 10] });
    let five = json!({ "phones": vec![phone(3); 5] });
    ann.send(Method::POST, "/v1/contacts/lookup", &ten).await.expect(StatusCode::OK);
    ben.send(Method::POST, "/v1/contacts/lookup", &ten).await.problem(Code::RateLimited);
    ben.send(Method::POST, "/v1/contacts/lookup", &five).await.expect(StatusCode::OK);
    let refused = ben.send(Method::POST, "/v1/contacts/lookup", &five).await.problem(Code::RateLimited);
    let wait_ms = refused.retry_after_ms.expect("it says when to come back");
    world.clock.forward_ms(wait_ms);
    // The account's own limit was not touched by what everybody was refused.
    let ben = world.sign_up(&phone(2)).await;
    ben.send(Method::POST, "/v1/contacts/lookup", &ten).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_people_look_up_numbers_at_the_same_moment() {
    const PEOPLE: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = Store::embedded(folder.path(), clock.for_store()).unwrap();
    let world = World::start_over(generous(), store, clock).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(world.sign_up(&phone(number)).await);
    }
    let body = json!({ "phones": [phone(1)] });
    let answers = people.iter().map(|person| person.send(Method::POST, "/v1/contacts/lookup", &body));
    for answer in futures_util::future::join_all(answers).await {
        answer.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn accounts_and_tokens_survive_a_restart_and_the_number_is_not_stored_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = Store::embedded(folder.path(), clock.for_store()).unwrap();
    let world = World::start_over(generous(), store, clock.clone()).await;
    let tokens = world.sign_up("+31612345678").await.tokens;
    let store = world.server.store.clone();
    world.stop().await;
    store.close().await.unwrap();
    drop(store);

    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    // Folders hold blobs, of which there is none.
    for file in files.filter(|path| path.is_file()) {
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"12345678"), "the number stands in a file");
    }

    let store = Store::embedded(folder.path(), clock.for_store()).unwrap();
    let world = World::start_over(generous(), store, clock).await;
    let me: Me = crate::common::Answer::of(world.request(Method::GET, "/v1/me").bearer_auth(&tokens.access_token))
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!((me.account, me.phone.as_str()), (tokens.account, "+31612345678"));
    assert_eq!(world.sign_up("+31612345678").await.tokens.account, tokens.account);
}
