//! `/v1/links`: a new device by way of an old one.
//!
//! The new device opens a place and shows its id, with keys of its own, to the old one. The old one leaves a sealed blob
//! there, with the hash of a grant that only the blob holds. Whoever opens the blob redeems the grant for tokens. So the
//! server relays bytes that it cannot read, and a login is given only to a device that one of the account's own let in;
//! what the new device needs besides, the account's identity key, never was here.
//!
//! A place is used once: what is left there stays as it is, and a grant makes one device. All of it expires in minutes.

use crate::account::login::{device_name, make_device};
use crate::account::token::{self, TokenAnswer};
use crate::address::ClientAddress;
use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::logout;
use crate::rate::by_address;
use crate::server::Server;
use crate::stored::{self, Stored};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tidings_proto::entry::Sender;
use tidings_proto::http::{LinkBlob, LinkOpened, PutLink, RedeemLink, Tokens};
use tidings_proto::id::{AccountId, DeviceId, LinkId};
use tidings_proto::limit::{LINK_BLOB_MAX_BYTES, LINK_LIFETIME_S};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Table};

/// Version 1 of a row of `Table::Link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    expires_ms: u64,
    left: Option<Left>,
}

/// What an old device left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    by: Sender,
    blob: ByteBuf,
    grant_hash: ByteArray<32>,
    /// The device that came of it.
    device: Option<DeviceId>,
}

/// Open a place to be linked
///
/// For a device that is new: it shows the id to an old device of the account.
#[utoipa::path(
    post, path = "/v1/links", tag = "account", security(()),
    responses(
        (status = 201, description = "Kept for some minutes.", body = LinkOpened),
        (status = 429, description = "`rate_limited`", body = Problem),
    )
)]
pub async fn open(
    State(server): State<Arc<Server>>,
    ClientAddress(address): ClientAddress,
) -> Result<(StatusCode, Json<LinkOpened>)> {
    server.rates.logins_per_address.take(by_address(address))?;
    let link = LinkId::from_bytes(server.random.bytes());
    let place = Place { expires_ms: server.clock.now_ms() + LINK_LIFETIME_S * 1_000, left: None };
    server.store.commit(put_row(link, Assert::Absent, &place)).await?;
    Ok((StatusCode::CREATED, Json(LinkOpened { link, expires_in_s: LINK_LIFETIME_S })))
}

/// Let a new device in
///
/// What is left here only the new device can read; the grant inside is good for one login to this account.
#[utoipa::path(
    put, path = "/v1/links/{id}", tag = "account", security(("access_token" = [])), request_body = PutLink,
    params(("id" = LinkId, Path, description = "What the new device shows.")),
    responses(
        (status = 204, description = "Left there."),
        (status = 404, description = "`not_found`: no such place, or it has expired.", body = Problem),
        (status = 409, description = "`conflict`: it was used already.", body = Problem),
    )
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(link): Path<LinkId>,
    Json(body): Json<PutLink>,
) -> Result<StatusCode> {
    server.rates.claims_per_account.take(*me.account.as_bytes())?;
    if body.blob.is_empty() || body.blob.len() > LINK_BLOB_MAX_BYTES {
        return Err(Error::new(Code::TooLarge, format!("A blob has 1 to {LINK_BLOB_MAX_BYTES} bytes.")));
    }
    let grant_hash: [u8; 32] = body
        .grant_hash
        .as_slice()
        .try_into()
        .map_err(|_| Error::new(Code::BadRequest, "grant_hash must have 32 bytes."))?;
    let left = Left { by: me, blob: ByteBuf::from(body.blob.0.to_vec()), grant_hash: grant_hash.into(), device: None };
    let Stored { value: place, bytes } = find(&server, link).await?;
    let used = || Error::new(Code::Conflict, "This code was used already; show a new one on the new device.");
    if let Some(there) = &place.left {
        let repeat = Left { device: there.device, ..left };
        return if repeat == *there { Ok(StatusCode::NO_CONTENT) } else { Err(used()) };
    }
    match server.store.commit(put_row(link, Assert::Equals(bytes), &Place { left: Some(left), ..place })).await {
        Ok(()) => {
            tracing::info!(device = %me.device, "a device lets another one in");
            Ok(StatusCode::NO_CONTENT)
        }
        Err(CommitError::Conflict(_)) => Err(used()),
        Err(error) => Err(error.into()),
    }
}

/// Look whether something was left
#[utoipa::path(
    get, path = "/v1/links/{id}", tag = "account", security(()),
    params(("id" = LinkId, Path, description = "One's own.")),
    responses(
        (status = 200, description = "What the old device left.", body = LinkBlob),
        (status = 404, description = "`not_found`: not yet, or it has expired, or was used.", body = Problem),
    )
)]
pub async fn get(State(server): State<Arc<Server>>, Path(link): Path<LinkId>) -> Result<Json<LinkBlob>> {
    let left = find(&server, link).await?.value.left.ok_or_else(|| Error::not_found("link"))?;
    Ok(Json(LinkBlob { blob: Payload(left.blob.into_vec().into()) }))
}

/// Redeem a grant
///
/// Makes a device of the account, once. A repeat gives the same device as long as its tokens were not used: the first
/// answer may have got lost.
#[utoipa::path(
    post, path = "/v1/links/{id}/redeem", tag = "account", security(()), request_body = RedeemLink,
    params(("id" = LinkId, Path, description = "One's own.")),
    responses(
        (status = 200, description = "A new device, signed in (RFC 6749 section 5.1).", body = Tokens),
        (status = 404, description = "`not_found`: nothing was left there, or it has expired.", body = Problem),
        (status = 413, description = "`too_large`: the account has all the devices that it may have.", body = Problem),
        (status = 422, description = "`invalid_code`: it is not this grant, or it was redeemed.", body = Problem),
    )
)]
pub async fn redeem(
    State(server): State<Arc<Server>>,
    ClientAddress(address): ClientAddress,
    Path(link): Path<LinkId>,
    Json(body): Json<RedeemLink>,
) -> Result<TokenAnswer> {
    server.rates.logins_per_address.take(by_address(address))?;
    let name = device_name(&body.device_name)?;
    let Stored { value: place, bytes } = find(&server, link).await?;
    let left = place.left.clone().ok_or_else(|| Error::not_found("link"))?;
    if !bool::from(Sha256::digest(body.grant.as_slice()).ct_eq(&left.grant_hash[..])) {
        return Err(Error::new(Code::InvalidCode, "This grant is not valid."));
    }
    let account = left.by.account;
    if let Some(device) = left.device {
        return again(&server, account, device).await;
    }
    // Whoever let it in may have been logged out since: then so is what it let in.
    if directory::device(&server.store, left.by).await?.is_none() {
        return Err(spent());
    }
    let device = make_device(&server, account, name).await?;
    let redeemed = Place { left: Some(Left { device: Some(device.device), ..left }), ..place };
    match server.store.commit(put_row(link, Assert::Equals(bytes), &redeemed)).await {
        Ok(()) => {
            tracing::info!(device = %device.device, "a device was linked");
            Ok(token::answer(&server, device, token::FIRST_GENERATION))
        }
        Err(error) => {
            // Somebody redeems it at the same time: theirs is the one that counts.
            logout::log_out(&server, device, None).await?;
            match (error, find(&server, link).await?.value.left.and_then(|left| left.device)) {
                (CommitError::Conflict(_), Some(device)) => again(&server, account, device).await,
                (CommitError::Conflict(_), None) => Err(spent()),
                (error, _) => Err(error.into()),
            }
        }
    }
}

/// The same answer as the first time, unless that arrived.
async fn again(server: &Server, account: AccountId, device: DeviceId) -> Result<TokenAnswer> {
    let device = Sender { account, device };
    let row = directory::device(&server.store, device).await?.ok_or_else(spent)?.value;
    if row.generation != token::FIRST_GENERATION || row.confirmed {
        return Err(spent());
    }
    Ok(token::answer(server, device, token::FIRST_GENERATION))
}

fn spent() -> Error {
    Error::new(Code::InvalidCode, "This code was used already; show a new one.")
}

async fn find(server: &Server, link: LinkId) -> Result<Stored<Place>> {
    let row = server.store.get(&Key::new(Table::Link, link.as_bytes(), [])).await?;
    let place = row.map(|row| stored::decode::<Place>(Table::Link, row)).transpose()?;
    place
        .filter(|place| server.clock.now_ms() < place.value.expires_ms)
        .ok_or_else(|| Error::new(Code::NotFound, "This code is not known: it has expired, or is of another server."))
}

fn put_row(link: LinkId, assert: Assert, place: &Place) -> Batch {
    Batch::new(Family::Link, link.as_bytes()).assert(Table::Link, [], assert).put_until(
        Table::Link,
        [],
        stored::encode(place),
        place.expires_ms,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let by = Sender { account: AccountId::from_bytes([1; 16]), device: DeviceId::from_bytes([2; 16]) };
        let device = Some(DeviceId::from_bytes([3; 16]));
        let left = Left { by, blob: ByteBuf::from(vec![4; 5]), grant_hash: [6; 32].into(), device };
        let place = Place { expires_ms: 1_700_000_600_000, left: Some(left) };
        let hex: String = stored::encode(&place).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("link_stored", hex);
    }
}
