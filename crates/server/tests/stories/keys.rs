//! Credentials, key packages, identities.

use crate::common::{Answer, Person, World, phone};
use axum::http::{Method, StatusCode};
use ed25519_dalek::SigningKey;
use serde_json::json;
use std::collections::BTreeSet;
use tidings_proto::credential::Credential;
use tidings_proto::http::{AccountDevices, Claimed, KeyPackageCount, PutCredential, PutKeyPackages};
use tidings_proto::limit::{KEY_PACKAGE_MAX_BYTES, KEY_PACKAGES_MAX};
use tidings_proto::problem::Code;

fn credential(person: &Person<'_>, identity: u8) -> Credential {
    let not_after_s = person.world.clock.now_ms() / 1_000 + 86_400;
    let identity = SigningKey::from_bytes(&[identity; 32]);
    Credential::issue(&identity, person.tokens.account, person.tokens.device, [identity.to_bytes()[0]; 32], not_after_s)
}

async fn publish(person: &Person<'_>, credential: &[u8]) -> Answer {
    let body = PutCredential { credential: credential.to_vec().into() };
    person.send(Method::PUT, "/v1/keys/credential", &body).await
}

/// Packages that name their device and number.
async fn upload(person: &Person<'_>, numbers: std::ops::Range<u32>, last_resort: Option<&[u8]>) -> Answer {
    let package = |n: u32| format!("package {n} of {}", person.tokens.device).into_bytes().into();
    let last_resort = last_resort.map(|bytes| bytes.to_vec().into());
    let body = PutKeyPackages { packages: numbers.map(package).collect(), last_resort };
    person.send(Method::POST, "/v1/keys/packages", &body).await
}

async fn claim(asking: &Person<'_>, of: &Person<'_>) -> Answer {
    let path = format!("/v1/accounts/{}/key-packages/claim", of.tokens.account);
    asking.send(Method::POST, &path, &json!({})).await
}

async fn devices(asking: &Person<'_>, of: &Person<'_>) -> AccountDevices {
    let path = format!("/v1/accounts/{}/devices", of.tokens.account);
    asking.get(&path).await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn a_device_publishes_itself_and_others_find_it() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    assert!(devices(&ben, &ann).await.devices.is_empty());
    claim(&ben, &ann).await.problem(Code::NoDevice);
    upload(&ann, 0..1, None).await.problem(Code::InvalidKey);

    let shown = credential(&ann, 1);
    publish(&ann, shown.as_bytes()).await.expect(StatusCode::NO_CONTENT);
    let count: KeyPackageCount = upload(&ann, 0..3, Some(b"last")).await.expect(StatusCode::OK).json();
    assert_eq!((count.count, count.last_resort), (3, true));
    let found = devices(&ben, &ann).await;
    assert_eq!(found.devices.len(), 1);
    assert_eq!(found.devices[0].credential.as_slice(), shown.as_bytes());

    let mut given = BTreeSet::new();
    for _ in 0..3 {
        let Claimed { packages } = claim(&ben, &ann).await.expect(StatusCode::OK).json();
        assert!(!packages[0].last_resort && packages[0].device == ann.tokens.device);
        given.insert(packages[0].package.as_slice().to_vec());
    }
    assert_eq!(given.len(), 3);
    for _ in 0..2 {
        let Claimed { packages } = claim(&ben, &ann).await.expect(StatusCode::OK).json();
        assert!(packages[0].last_resort && packages[0].package.as_slice() == b"last");
    }
    let count: KeyPackageCount = ann.get("/v1/keys/packages").await.json();
    assert_eq!((count.count, count.last_resort), (0, true));
}

#[tokio::test]
async fn an_upload_that_is_repeated_brings_nothing_back_that_was_given_out() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    publish(&ann, credential(&ann, 1).as_bytes()).await.expect(StatusCode::NO_CONTENT);
    upload(&ann, 0..2, Some(b"last")).await.expect(StatusCode::OK);
    claim(&ben, &ann).await.expect(StatusCode::OK);
    // As if the answer had got lost.
    let count: KeyPackageCount = upload(&ann, 0..2, Some(b"last")).await.expect(StatusCode::OK).json();
    assert_eq!((count.count, count.last_resort), (1, true));
    let count: KeyPackageCount = upload(&ann, 2..4, None).await.expect(StatusCode::OK).json();
    assert_eq!((count.count, count.last_resort), (3, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_claims_at_once_each_gets_its_own_package() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    publish(&ann, credential(&ann, 1).as_bytes()).await.expect(StatusCode::NO_CONTENT);
    upload(&ann, 0..40, Some(b"last")).await.expect(StatusCode::OK);
    let answers = futures_util::future::join_all((0..50).map(|_| claim(&ben, &ann))).await;
    let (mut given, mut last_resorts) = (BTreeSet::new(), 0);
    for answer in answers {
        let Claimed { packages } = answer.expect(StatusCode::OK).json();
        if packages[0].last_resort {
            last_resorts += 1;
        } else {
            assert!(given.insert(packages[0].package.as_slice().to_vec()), "a package was given out twice");
        }
    }
    let count: KeyPackageCount = ann.get("/v1/keys/packages").await.json();
    assert_eq!((given.len() as u32 + count.count, given.len() + last_resorts), (40, 50));
    assert_eq!(count.count, 0, "who claims while there are some left gets one of them");
}

#[tokio::test]
async fn a_new_identity_logs_the_other_devices_out() {
    let world = World::start().await;
    let ben = world.sign_up(&phone(2)).await;
    let old = world.sign_up(&phone(1)).await;
    publish(&old, credential(&old, 1).as_bytes()).await.expect(StatusCode::NO_CONTENT);
    upload(&old, 0..3, Some(b"last")).await.expect(StatusCode::OK);

    let new = world.sign_up(&phone(1)).await;
    // Until the new device shows an identity, the old one is what counts.
    assert_eq!(devices(&ben, &old).await.devices[0].device, old.tokens.device);
    publish(&new, credential(&new, 2).as_bytes()).await.expect(StatusCode::NO_CONTENT);
    old.get("/v1/me").await.problem(Code::LoggedOut);
    let found = devices(&ben, &new).await;
    assert_eq!(found.devices.iter().map(|device| device.device).collect::<Vec<_>>(), [new.tokens.device]);
    claim(&ben, &new).await.problem(Code::NoDevice);
}

#[tokio::test]
async fn devices_of_one_identity_live_side_by_side() {
    let world = World::start().await;
    let (laptop, tablet) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(1)).await);
    let ben = world.sign_up(&phone(2)).await;
    for person in [&laptop, &tablet] {
        publish(person, credential(person, 1).as_bytes()).await.expect(StatusCode::NO_CONTENT);
        upload(person, 0..1, None).await.expect(StatusCode::OK);
    }
    assert_eq!(devices(&ben, &laptop).await.devices.len(), 2);
    let own: Claimed = claim(&laptop, &laptop).await.expect(StatusCode::OK).json();
    assert_eq!(own.packages.iter().map(|package| package.device).collect::<Vec<_>>(), [tablet.tokens.device]);
    let rest: Claimed = claim(&ben, &laptop).await.expect(StatusCode::OK).json();
    assert_eq!(rest.packages.iter().map(|package| package.device).collect::<Vec<_>>(), [laptop.tokens.device]);
}

#[tokio::test]
async fn credentials_that_do_not_prove_anything_are_refused() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    let good = credential(&ann, 1);
    let mut forged = good.as_bytes().to_vec();
    forged[80] ^= 1;
    let identity = SigningKey::from_bytes(&[1; 32]);
    let expired = Credential::issue(&identity, ann.tokens.account, ann.tokens.device, [1; 32], 1);
    for bytes in [&forged[..], b"", b"short", credential(&ben, 1).as_bytes(), expired.as_bytes()] {
        publish(&ann, bytes).await.problem(Code::InvalidKey);
    }
    publish(&ann, &[0; 2_000]).await.problem(Code::TooLarge);
    assert!(devices(&ben, &ann).await.devices.is_empty());
}

#[tokio::test]
async fn a_stock_of_packages_has_bounds() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    publish(&ann, credential(&ann, 1).as_bytes()).await.expect(StatusCode::NO_CONTENT);
    let put = async |body: PutKeyPackages| ann.send(Method::POST, "/v1/keys/packages", &body).await;
    let one = |bytes: usize| PutKeyPackages { packages: vec![vec![7; bytes].into()], last_resort: None };
    put(one(0)).await.problem(Code::InvalidKey);
    put(one(KEY_PACKAGE_MAX_BYTES + 1)).await.problem(Code::TooLarge);
    put(one(KEY_PACKAGE_MAX_BYTES)).await.expect(StatusCode::OK);
    upload(&ann, 0..KEY_PACKAGES_MAX as u32 + 1, None).await.problem(Code::TooLarge);
    let count: KeyPackageCount = upload(&ann, 0..KEY_PACKAGES_MAX as u32 - 1, None).await.expect(StatusCode::OK).json();
    assert_eq!(count.count as usize, KEY_PACKAGES_MAX);
    // The same again is no more than there is; another one is.
    upload(&ann, 0..10, None).await.expect(StatusCode::OK);
    upload(&ann, 500..501, None).await.problem(Code::TooLarge);
}

#[tokio::test]
async fn nobody_claims_without_end() {
    let mut config = crate::common::generous();
    config.limits.claims_per_account_per_hour = 3;
    let world = World::start_with(config).await;
    let (ann, ben) = (world.sign_up(&phone(1)).await, world.sign_up(&phone(2)).await);
    publish(&ann, credential(&ann, 1).as_bytes()).await.expect(StatusCode::NO_CONTENT);
    upload(&ann, 0..1, Some(b"last")).await.expect(StatusCode::OK);
    for _ in 0..3 {
        claim(&ben, &ann).await.expect(StatusCode::OK);
    }
    claim(&ben, &ann).await.problem(Code::RateLimited);
    let nobody = format!("/v1/accounts/{}/devices", uuid::Uuid::nil());
    ann.get(&nobody).await.problem(Code::NotFound);
}
