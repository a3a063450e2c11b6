//! `POST /v1/accounts/{id}/key-packages/claim`: one key package of each device of an account.
//!
//! A package is given out by the commit that deletes it and asserts that it was there, so exactly once, however many
//! claim at the same time.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::keys::credential;
use crate::keys::packages::LAST_ROW;
use crate::server::Server;
use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use std::sync::Arc;
use tidings_proto::http::{Claimed, ClaimedPackage};
use tidings_proto::id::{AccountId, DeviceId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Scan, Table};

/// Packages that one look at the stock reads; who claims at the same time picks another one of them.
const LOOK_ROWS: u32 = 16;
const LOOK_BYTES: usize = 64 * 1024;
/// Looks at the stock of a device that is being emptied by many, before the last resort is given.
const LOOKS_MAX: u32 = 8;

/// Claim key packages
///
/// One of each device that others can encrypt for, except the one that asks. A device without any is left out.
#[utoipa::path(
    post, path = "/v1/accounts/{id}/key-packages/claim", tag = "keys", security(("access_token" = [])),
    params(("id" = AccountId, Path, description = "Anybody's; one's own gives one's other devices.")),
    responses(
        (status = 200, description = "By device.", body = Claimed),
        (status = 404, description = "`not_found`", body = Problem),
        (status = 409, description = "`no_device`: the account has no device that can receive.", body = Problem),
        (status = 429, description = "`rate_limited`", body = Problem),
    )
)]
pub async fn claim(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Path(account): Path<AccountId>,
) -> Result<Json<Claimed>> {
    server.rates.claims_per_account.take(*me.account.as_bytes())?;
    let devices = credential::of_account(&server.store, account).await?.ok_or_else(|| Error::not_found("account"))?;
    let mut packages = Vec::with_capacity(devices.len());
    for (device, _) in devices.into_iter().filter(|(device, _)| *device != me.device) {
        if let Some((package, last_resort)) = take(&server, device).await? {
            packages.push(ClaimedPackage { device, package: Payload(package), last_resort });
        }
    }
    if packages.is_empty() && account != me.account {
        return Err(Error::new(Code::NoDevice, "This person has no device that can receive yet."));
    }
    Ok(Json(Claimed { packages }))
}

/// A package of this device, and whether it is the last resort.
async fn take(server: &Server, device: DeviceId) -> Result<Option<(Bytes, bool)>> {
    for _ in 0..LOOKS_MAX {
        let look = Scan::all(Table::KeyPackage, device.as_bytes(), LOOK_ROWS).max_bytes(LOOK_BYTES);
        let mut rows = server.store.scan(&look).await?;
        if rows.is_empty() {
            break;
        }
        while !rows.is_empty() {
            let row = rows.swap_remove(server.random.below(rows.len() as u32) as usize);
            let batch = Batch::new(Family::Keys, device.as_bytes())
                .assert(Table::KeyPackage, &row.row, Assert::Present)
                .delete(Table::KeyPackage, &row.row);
            match server.store.commit(batch).await {
                Ok(()) => return Ok(Some((row.value, false))),
                // Somebody else was given this one.
                Err(CommitError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let last = server.store.get(&Key::new(Table::DeviceKey, device.as_bytes(), LAST_ROW)).await?;
    Ok(last.map(|package| (package, true)))
}
