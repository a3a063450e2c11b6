//! `POST` and `GET /v1/keys/packages`: a device's stock of key packages. An upload that is repeated adds nothing.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::keys::credential;
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_proto::http::{KeyPackageCount, PutKeyPackages};
use tidings_proto::id::DeviceId;
use tidings_proto::limit::{KEY_PACKAGE_MAX_BYTES, KEY_PACKAGES_MAX};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_store::table::Family;
use tidings_store::{Batch, Key, Scan, Store, Table};

pub(super) const LAST_ROW: &[u8] = b"last";
/// Hash of the last upload: it may be repeated, for its answer may get lost, when some of it was given out already.
const UPLOAD_ROW: &[u8] = b"upload";

/// Upload key packages
///
/// Each of `packages` is given out once. `last_resort` replaces the previous one, and is given out when no other is left.
#[utoipa::path(
    post, path = "/v1/keys/packages", tag = "keys", security(("access_token" = [])), request_body = PutKeyPackages,
    responses(
        (status = 200, description = "What is there now.", body = KeyPackageCount),
        (status = 413, description = "`too_large`: one is too large, or there would be too many.", body = Problem),
        (status = 422, description = "`invalid_key`: the device has no credential yet.", body = Problem),
    )
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<PutKeyPackages>,
) -> Result<Json<KeyPackageCount>> {
    if body.packages.len() > KEY_PACKAGES_MAX {
        return Err(too_many());
    }
    body.packages.iter().chain(&body.last_resort).try_for_each(check)?;
    if !credential::is_published(&server.store, me.device).await? {
        return Err(Error::new(Code::InvalidKey, "Publish this device's credential first."));
    }
    let upload = hash_of(&body);
    let former = server.store.get(&Key::new(Table::DeviceKey, me.device.as_bytes(), UPLOAD_ROW)).await?;
    if former.is_some_and(|former| former[..] == upload) {
        return counted(&server.store, me.device).await;
    }
    let mut rows = stock(&server.store, me.device).await?;
    let mut batch = Batch::new(Family::Keys, me.device.as_bytes()).put(Table::DeviceKey, UPLOAD_ROW, upload.to_vec());
    for package in body.packages {
        // Named by their hash, so one that comes twice is there once.
        let row: [u8; 32] = Sha256::digest(package.as_slice()).into();
        batch = batch.put(Table::KeyPackage, row, package.0);
        rows.insert(row.to_vec());
    }
    if rows.len() > KEY_PACKAGES_MAX {
        return Err(too_many());
    }
    if let Some(last_resort) = body.last_resort {
        batch = batch.put(Table::DeviceKey, LAST_ROW, last_resort.0);
    }
    server.store.commit(batch).await?;
    counted(&server.store, me.device).await
}

/// Count key packages
#[utoipa::path(
    get, path = "/v1/keys/packages", tag = "keys", security(("access_token" = [])),
    responses((status = 200, description = "What is left.", body = KeyPackageCount))
)]
pub async fn count(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
) -> Result<Json<KeyPackageCount>> {
    counted(&server.store, me.device).await
}

fn hash_of(body: &PutKeyPackages) -> [u8; 32] {
    let mut hash = Sha256::new();
    for package in body.packages.iter().chain(&body.last_resort) {
        hash.update((package.len() as u64).to_be_bytes());
        hash.update(package.as_slice());
    }
    hash.update([u8::from(body.last_resort.is_some())]);
    hash.finalize().into()
}

fn check(package: &Payload) -> Result<()> {
    match package.len() {
        0 => Err(Error::new(Code::InvalidKey, "A key package is empty.")),
        1..=KEY_PACKAGE_MAX_BYTES => Ok(()),
        _ => Err(Error::new(Code::TooLarge, format!("A key package has at most {KEY_PACKAGE_MAX_BYTES} bytes."))),
    }
}

fn too_many() -> Error {
    Error::new(Code::TooLarge, format!("A device has at most {KEY_PACKAGES_MAX} key packages here."))
}

async fn stock(store: &Store, device: DeviceId) -> Result<BTreeSet<Vec<u8>>> {
    let rows = store.scan(&Scan::all(Table::KeyPackage, device.as_bytes(), 2 * KEY_PACKAGES_MAX as u32)).await?;
    Ok(rows.into_iter().map(|row| row.row.to_vec()).collect())
}

async fn counted(store: &Store, device: DeviceId) -> Result<Json<KeyPackageCount>> {
    let count = stock(store, device).await?.len() as u32;
    let last_resort = store.get(&Key::new(Table::DeviceKey, device.as_bytes(), LAST_ROW)).await?.is_some();
    Ok(Json(KeyPackageCount { count, last_resort }))
}
