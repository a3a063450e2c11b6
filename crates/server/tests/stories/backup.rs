//! Blobs, and the backup that they make up.

use crate::common::{Answer, Person, World, generous, phone};
use axum::http::{Method, StatusCode};
use serde_json::json;
use tidings_proto::backup::{Backup, Blobs, OpenedBackupKey};
use tidings_proto::id::BlobId;
use tidings_proto::limit::{BACKUP_GUESSES_FREE, BLOB_MAX_BYTES};
use tidings_proto::problem::Code;
use tidings_server::blob::sweep;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

fn blob(n: u8) -> BlobId {
    BlobId::from_bytes([n; 16])
}

async fn put(person: &Person<'_>, id: BlobId, query: &str, bytes: &[u8]) -> Answer {
    let request = person.request(Method::PUT, &format!("/v1/blobs/{id}{query}"));
    Answer::of(request.header("content-type", "application/octet-stream").body(bytes.to_vec())).await
}

async fn get(person: &Person<'_>, id: BlobId) -> Answer {
    person.get(&format!("/v1/blobs/{id}")).await
}

async fn list(person: &Person<'_>) -> Blobs {
    person.get("/v1/blobs").await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn a_blob_is_its_owners_and_nobody_elses() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let ben = world.sign_up(&phone(2)).await;
    put(&ann, blob(1), "", b"sealed").await.expect(StatusCode::NO_CONTENT);
    put(&ann, blob(1), "", b"sealed").await.expect(StatusCode::NO_CONTENT);
    put(&ann, blob(1), "", b"other").await.problem(Code::Conflict);
    put(&ben, blob(1), "", b"of ben").await.expect(StatusCode::NO_CONTENT);
    let got = get(&ann, blob(1)).await.expect(StatusCode::OK);
    assert_eq!(got.body, b"sealed");
    assert_eq!(got.headers["content-type"], "application/octet-stream");
    assert_eq!(get(&ben, blob(1)).await.body, b"of ben");
    get(&ben, blob(2)).await.problem(Code::NotFound);
    let listed = list(&ann).await;
    assert_eq!((listed.blobs.len(), listed.used_bytes, listed.next), (1, 6, None));

    let path = format!("/v1/blobs/{}", blob(1));
    ann.delete(&path).await.expect(StatusCode::NO_CONTENT);
    ann.delete(&path).await.expect(StatusCode::NO_CONTENT);
    get(&ann, blob(1)).await.problem(Code::NotFound);
    assert_eq!((list(&ann).await.used_bytes, list(&ben).await.used_bytes), (0, 6));
}

#[tokio::test]
async fn blobs_are_bounded_each_and_all() {
    let mut config = generous();
    config.blob.quota_mib = 2;
    let world = World::start_with(config).await;
    let ann = world.sign_up(&phone(1)).await;
    put(&ann, blob(1), "", &vec![1; BLOB_MAX_BYTES]).await.expect(StatusCode::NO_CONTENT);
    put(&ann, blob(2), "", &vec![2; BLOB_MAX_BYTES]).await.problem(Code::QuotaFull);
    put(&ann, blob(2), "", &vec![2; BLOB_MAX_BYTES - 16 * 1024]).await.expect(StatusCode::NO_CONTENT);
    put(&ann, blob(3), "", &vec![3; BLOB_MAX_BYTES + 1]).await.problem(Code::TooLarge);
    put(&ann, blob(3), "", b"").await.problem(Code::TooLarge);
    put(&ann, blob(3), "?expires_in_s=0", b"x").await.problem(Code::BadRequest);
    let page: Blobs = ann.get("/v1/blobs?limit=1").await.json();
    assert_eq!((page.blobs[0].blob, page.next), (blob(1), Some(blob(1))));
    let page: Blobs = ann.get(&format!("/v1/blobs?limit=2&after={}", blob(1))).await.json();
    assert_eq!((page.blobs.len(), page.blobs[0].blob, page.next), (1, blob(2), None));
}

#[tokio::test]
async fn what_expired_is_gone_and_what_a_crash_left_is_swept() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    let account = ann.tokens.account;
    let store = world.server.store.clone();
    let bytes = async |id: BlobId| store.blobs().get(account.as_bytes(), id.as_bytes()).await.unwrap();
    put(&ann, blob(1), "?expires_in_s=3600", b"on its way").await.expect(StatusCode::NO_CONTENT);
    put(&ann, blob(2), "", b"kept").await.expect(StatusCode::NO_CONTENT);
    world.clock.forward_ms(3_599_000);
    get(&ann, blob(1)).await.expect(StatusCode::OK);
    world.clock.forward_ms(1_000);
    assert_eq!(sweep::sweep(&world.server).await.unwrap(), 0, "no day has passed");
    let ann = world.sign_up(&phone(1)).await;
    get(&ann, blob(1)).await.problem(Code::NotFound);
    assert_eq!(list(&ann).await.blobs.len(), 1);
    world.clock.forward_ms(3 * DAY_MS);
    assert_eq!(sweep::sweep(&world.server).await.unwrap(), 1);
    assert_eq!(sweep::sweep(&world.server).await.unwrap(), 0);
    assert_eq!(bytes(blob(1)).await, None);
    assert_eq!(bytes(blob(2)).await.unwrap(), "kept");
    let ann = world.sign_up(&phone(1)).await;
    assert_eq!(list(&ann).await.used_bytes, 4);
}

fn key(proof: u8, wrapped: &str) -> serde_json::Value {
    let kdf = json!({
        "secret": "code", "salt": "AAAAAAAAAAAAAAAAAAAAAA==", "memory_kib": 65_536, "passes": 3, "lanes": 1,
    });
    json!({ "kdf": kdf, "proof": base64(&[proof; 32]), "wrapped": base64(wrapped.as_bytes()) })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

async fn open(person: &Person<'_>, proof: u8) -> Answer {
    person.send(Method::POST, "/v1/backup/key/open", &json!({ "proof": base64(&[proof; 32]) })).await
}

#[tokio::test]
async fn a_backup_names_its_newest_manifest() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    ann.get("/v1/backup").await.problem(Code::NotFound);
    ann.send(Method::PUT, "/v1/backup/key", &key(1, "wrapped")).await.expect(StatusCode::NO_CONTENT);
    let backup: Backup = ann.get("/v1/backup").await.json();
    assert_eq!((backup.generation, backup.manifest), (0, None));

    let complete = |generation: u64, manifest: BlobId| {
        let body = json!({ "generation": generation, "manifest": manifest });
        let ann = &ann;
        async move { ann.send(Method::PUT, "/v1/backup", &body).await }
    };
    complete(1, blob(1)).await.problem(Code::NotFound);
    put(&ann, blob(1), "", b"manifest").await.expect(StatusCode::NO_CONTENT);
    put(&ann, blob(2), "", b"another").await.expect(StatusCode::NO_CONTENT);
    complete(2, blob(1)).await.problem(Code::Conflict);
    complete(1, blob(1)).await.expect(StatusCode::NO_CONTENT);
    complete(1, blob(1)).await.expect(StatusCode::NO_CONTENT);
    complete(1, blob(2)).await.problem(Code::Conflict);
    complete(2, blob(2)).await.expect(StatusCode::NO_CONTENT);
    let backup: Backup = ann.get("/v1/backup").await.json();
    assert_eq!((backup.generation, backup.manifest, backup.made_ms), (2, Some(blob(2)), world.clock.now_ms()));

    // Another device of the account sees it too; another account does not.
    let again = world.sign_up(&phone(1)).await;
    assert_eq!(again.get("/v1/backup").await.json::<Backup>(), backup);
    world.sign_up(&phone(2)).await.get("/v1/backup").await.problem(Code::NotFound);
    ann.delete("/v1/backup/key").await.expect(StatusCode::NO_CONTENT);
    again.get("/v1/backup").await.problem(Code::NotFound);
}

#[tokio::test]
async fn wrong_guesses_are_few_and_each_is_counted() {
    let world = World::start().await;
    let ann = world.sign_up(&phone(1)).await;
    open(&ann, 1).await.problem(Code::NotFound);
    ann.send(Method::PUT, "/v1/backup/key", &key(1, "wrapped")).await.expect(StatusCode::NO_CONTENT);
    let mut short = key(1, "wrapped");
    short["proof"] = json!(base64(&[1; 31]));
    ann.send(Method::PUT, "/v1/backup/key", &short).await.problem(Code::InvalidKey);

    open(&ann, 2).await.problem(Code::WrongPassphrase);
    let opened: OpenedBackupKey = open(&ann, 1).await.expect(StatusCode::OK).json();
    assert_eq!(opened.wrapped.as_slice(), b"wrapped");
    // A right guess forgets the wrong ones before it; then all of these come at once.
    let guesses = (0..3 * BACKUP_GUESSES_FREE).map(|_| open(&ann, 2));
    let answers = futures_util::future::join_all(guesses).await;
    let wrong = answers.iter().filter(|answer| answer.status == StatusCode::UNPROCESSABLE_ENTITY).count();
    assert_eq!(wrong, BACKUP_GUESSES_FREE as usize);
    let refused = open(&ann, 1).await.problem(Code::RateLimited);
    assert_eq!(refused.retry_after_ms, Some(60_000), "the right one too");
    assert_eq!(ann.get("/v1/backup").await.json::<Backup>().retry_after_ms, Some(60_000));
    world.clock.forward_ms(60_000);
    open(&ann, 2).await.problem(Code::WrongPassphrase);
    assert_eq!(open(&ann, 2).await.problem(Code::RateLimited).retry_after_ms, Some(120_000));
    world.clock.forward_ms(120_000);
    open(&ann, 1).await.expect(StatusCode::OK);
}
