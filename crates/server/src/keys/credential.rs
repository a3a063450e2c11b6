//! `PUT /v1/keys/credential`: a device publishes its credential.
//!
//! The first credential of an account sets its identity key. A credential signed by another identity key replaces the
//! identity: in one commit the account gets the new key and loses its other devices. Before that commit the device's own
//! credential row is written; until the account agrees with it, it does not count.

use crate::auth::Authenticated;
use crate::directory::{self, Account};
use crate::error::{Error, Result};
use crate::logout;
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use std::sync::Arc;
use tidings_proto::credential::Credential;
use tidings_proto::entry::Sender;
use tidings_proto::http::PutCredential;
use tidings_proto::id::{AccountId, DeviceId};
use tidings_proto::limit::CREDENTIAL_MAX_BYTES;
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Store, Table};

const ROW: &[u8] = b"credential";
/// How often a change of identity looks again when somebody changes the account at the same time.
const TRIES_MAX: u32 = 8;

/// Publish this device's credential
///
/// Another identity key than the account's present one replaces it: the account's other devices are logged out, and its
/// contacts see that the safety number changed.
#[utoipa::path(
    put, path = "/v1/keys/credential", tag = "keys", security(("access_token" = [])), request_body = PutCredential,
    responses(
        (status = 204, description = "Published."),
        (status = 422, description = "`invalid_key`: it does not verify, is another device's, or has expired.", body = Problem),
    )
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<PutCredential>,
) -> Result<StatusCode> {
    let credential = check(&server, me, body.credential.as_slice())?;
    let row = Key::new(Table::DeviceKey, me.device.as_bytes(), ROW);
    let previous = server.store.get(&row).await?.and_then(|bytes| Credential::verify(&bytes).ok());
    let other_keys = previous.is_some_and(|previous| {
        previous.identity_key != credential.identity_key || previous.signature_key != credential.signature_key
    });
    if other_keys {
        // Its key packages show the old credential.
        logout::delete_packages(&server.store, me).await?;
    }
    let own = Batch::new(Family::Keys, me.device.as_bytes()).put(Table::DeviceKey, ROW, credential.as_bytes().to_vec());
    server.store.commit(own).await?;
    for gone in set_identity(&server, me, credential.identity_key).await? {
        logout::end(&server, gone, None).await?;
        tracing::info!(device = %gone.device, "a device was logged out, for the account has a new identity");
    }
    Ok(StatusCode::NO_CONTENT)
}

fn check(server: &Server, me: Sender, bytes: &[u8]) -> Result<Credential> {
    let invalid = |detail: &str| Error::new(Code::InvalidKey, detail);
    if bytes.len() > CREDENTIAL_MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("A credential has at most {CREDENTIAL_MAX_BYTES} bytes.")));
    }
    let credential = Credential::verify(bytes).map_err(|error| Error::new(Code::InvalidKey, error.to_string()))?;
    if (Sender { account: credential.account, device: credential.device }) != me {
        return Err(invalid("The credential is not this device's."));
    }
    if credential.not_after_s <= server.clock.now_ms() / 1_000 {
        return Err(invalid("The credential has expired."));
    }
    Ok(credential)
}

/// Makes this the account's identity; returns the devices that went with the old one.
async fn set_identity(server: &Server, me: Sender, identity_key: [u8; 32]) -> Result<Vec<Sender>> {
    for _ in 0..TRIES_MAX {
        let row = directory::account(&server.store, me.account)
            .await?
            .ok_or_else(|| Error::new(Code::LoggedOut, "This account is gone."))?;
        if row.value.identity_key.is_some_and(|key| *key == identity_key) {
            return Ok(Vec::new());
        }
        let mut others: Vec<Sender> = Vec::new();
        if row.value.identity_key.is_some() {
            let devices = directory::devices(&server.store, me.account).await?;
            others = devices.into_iter().map(|(device, _)| Sender { account: me.account, device }).collect();
            others.retain(|other| other.device != me.device);
        }
        let account = Account { identity_key: Some(identity_key.into()), ..row.value };
        let batch = Batch::new(Family::Account, me.account.as_bytes())
            .assert(Table::Device, me.device.as_bytes(), Assert::Present)
            .assert(Table::Account, [], Assert::Equals(row.bytes))
            .put(Table::Account, [], stored::encode(&account));
        let batch = others.iter().fold(batch, |batch, other| batch.delete(Table::Device, other.device.as_bytes()));
        match server.store.commit(batch).await {
            Ok(()) => return Ok(others),
            Err(CommitError::Conflict(0)) => {
                return Err(Error::new(Code::LoggedOut, "This device was logged out."));
            }
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(Code::Overloaded, "Several devices change this account's identity; wait.").retry_after_ms(1_000))
}

/// The devices of an account that others may encrypt for, with their credentials; `None` if there is no such account.
pub(super) async fn of_account(store: &Store, account: AccountId) -> Result<Option<Vec<(DeviceId, Bytes)>>> {
    let Some(row) = directory::account(store, account).await? else { return Ok(None) };
    let devices = directory::devices(store, account).await?;
    let keys: Vec<Key> = devices.iter().map(|(device, _)| Key::new(Table::DeviceKey, device.as_bytes(), ROW)).collect();
    let credentials = store.get_many(&keys).await?;
    let mut counted = Vec::with_capacity(devices.len());
    for ((device, _), credential) in devices.into_iter().zip(credentials) {
        let Some(bytes) = credential else { continue };
        let Ok(credential) = Credential::verify(&bytes) else { continue };
        if row.value.identity_key.is_some_and(|key| *key == credential.identity_key) {
            counted.push((device, bytes));
        }
    }
    Ok(Some(counted))
}

/// Where the credential of a device stands.
pub fn key(device: DeviceId) -> Key {
    Key::new(Table::DeviceKey, device.as_bytes(), ROW)
}

/// Whether the device has published a credential.
pub(super) async fn is_published(store: &Store, device: DeviceId) -> Result<bool> {
    Ok(store.get(&key(device)).await?.is_some())
}
