//! Linking a device by way of another one.

use crate::common::{Answer, Person, World, phone};
use axum::http::{Method, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};
use tidings_proto::http::{Devices, LinkBlob, LinkOpened, PutLink, RedeemLink, Tokens};
use tidings_proto::id::LinkId;
use tidings_proto::limit::{DEVICES_MAX, LINK_BLOB_MAX_BYTES, LINK_LIFETIME_S};
use tidings_proto::problem::Code;

const GRANT: [u8; 32] = [7; 32];

async fn open(world: &World) -> LinkId {
    let opened = world.send(Method::POST, "/v1/links", &json!({})).await;
    let LinkOpened { link, expires_in_s } = opened.expect(StatusCode::CREATED).json();
    assert_eq!(expires_in_s, LINK_LIFETIME_S);
    link
}

fn sealed(blob: &[u8]) -> PutLink {
    PutLink { blob: blob.to_vec().into(), grant_hash: Sha256::digest(GRANT).to_vec().into() }
}

async fn leave(person: &Person<'_>, link: LinkId) -> Answer {
    person.send(Method::PUT, &format!("/v1/links/{link}"), &sealed(b"for the new device")).await
}

async fn redeem(world: &World, link: LinkId, grant: [u8; 32]) -> Answer {
    let body = RedeemLink { grant: grant.to_vec().into(), device_name: "laptop".into() };
    world.send(Method::POST, &format!("/v1/links/{link}/redeem"), &body).await
}

#[tokio::test]
async fn a_device_lets_another_one_in_and_its_grant_is_good_once() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let link = open(&world).await;
    world.get(&format!("/v1/links/{link}")).await.problem(Code::NotFound);
    leave(&ann, link).await.expect(StatusCode::NO_CONTENT);
    leave(&ann, link).await.expect(StatusCode::NO_CONTENT);
    let LinkBlob { blob } = world.get(&format!("/v1/links/{link}")).await.expect(StatusCode::OK).json();
    assert_eq!(blob.as_slice(), b"for the new device");

    redeem(&world, link, [8; 32]).await.problem(Code::InvalidCode);
    let first: Tokens = redeem(&world, link, GRANT).await.expect(StatusCode::OK).json();
    // The answer may have got lost.
    let again: Tokens = redeem(&world, link, GRANT).await.expect(StatusCode::OK).json();
    assert_eq!((first.account, first.device), (ann.tokens.account, again.device));
    let laptop = Person { world: &world, tokens: again };
    let Devices { devices } = laptop.get("/v1/devices").await.expect(StatusCode::OK).json();
    assert_eq!(devices.len(), 2);
    assert!(devices.iter().any(|device| device.name == "laptop" && device.current));
    // Its tokens were used: from now on it is spent.
    redeem(&world, link, GRANT).await.problem(Code::InvalidCode);
    ann.delete(&format!("/v1/devices/{}", laptop.tokens.device)).await.expect(StatusCode::NO_CONTENT);
    redeem(&world, link, GRANT).await.problem(Code::InvalidCode);
    laptop.get("/v1/devices").await.problem(Code::LoggedOut);
}

#[tokio::test]
async fn a_place_is_used_once_and_expires() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    let link = open(&world).await;
    leave(&ann, link).await.expect(StatusCode::NO_CONTENT);
    leave(&ben, link).await.problem(Code::Conflict);
    let other = ann.send(Method::PUT, &format!("/v1/links/{link}"), &sealed(b"something else")).await;
    other.problem(Code::Conflict);
    let unknown = LinkId::from_bytes([9; 16]);
    leave(&ann, unknown).await.problem(Code::NotFound);
    redeem(&world, unknown, GRANT).await.problem(Code::NotFound);

    let late = open(&world).await;
    world.clock.forward_ms(LINK_LIFETIME_S * 1_000);
    world.get(&format!("/v1/links/{link}")).await.problem(Code::NotFound);
    redeem(&world, link, GRANT).await.problem(Code::NotFound);
    leave(&ann, late).await.problem(Code::NotFound);
}

#[tokio::test]
async fn who_was_logged_out_lets_nobody_in() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let link = open(&world).await;
    leave(&ann, link).await.expect(StatusCode::NO_CONTENT);
    ann.delete(&format!("/v1/devices/{}", ann.tokens.device)).await.expect(StatusCode::NO_CONTENT);
    redeem(&world, link, GRANT).await.problem(Code::InvalidCode);
    leave(&ann, open(&world).await).await.problem(Code::LoggedOut);
}

#[tokio::test]
async fn blobs_are_bounded_and_so_are_devices() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let link = open(&world).await;
    for bytes in [0, LINK_BLOB_MAX_BYTES + 1] {
        let answer = ann.send(Method::PUT, &format!("/v1/links/{link}"), &sealed(&vec![1; bytes])).await;
        answer.problem(Code::TooLarge);
    }
    let full = sealed(&vec![1; LINK_BLOB_MAX_BYTES]);
    ann.send(Method::PUT, &format!("/v1/links/{link}"), &full).await.expect(StatusCode::NO_CONTENT);
    for _ in 1..DEVICES_MAX {
        let link = open(&world).await;
        leave(&ann, link).await.expect(StatusCode::NO_CONTENT);
        redeem(&world, link, GRANT).await.expect(StatusCode::OK);
    }
    redeem(&world, link, GRANT).await.problem(Code::TooLarge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_redeem_at_once_all_get_one_device() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let link = open(&world).await;
    leave(&ann, link).await.expect(StatusCode::NO_CONTENT);
    let answers = futures_util::future::join_all((0..8).map(|_| redeem(&world, link, GRANT))).await;
    let devices: std::collections::BTreeSet<_> =
        answers.into_iter().filter(|it| it.status == StatusCode::OK).map(|it| it.json::<Tokens>().device).collect();
    assert_eq!(devices.len(), 1);
    let Devices { devices } = ann.get("/v1/devices").await.json();
    assert_eq!(devices.len(), 2);
}
