//! `POST /v1/login`: a code for an account and a device.
//!
//! The first login of a number makes its account. However many log in at once, a number gets exactly one: the `Phone` row
//! is written only if it is absent, and who loses that race takes the winner's account.

use crate::account::phone::Phone;
use crate::account::token::{self, TokenAnswer};
use crate::account::{code, lock};
use crate::address::ClientAddress;
use crate::directory::{self, Account, Device};
use crate::error::{Error, Result};
use crate::logout;
use crate::rate::by_address;
use crate::server::Server;
use crate::stored::{self, Stored};
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::http::{Login, Tokens};
use tidings_proto::id::{AccountId, DeviceId};
use tidings_proto::limit::{DEVICE_NAME_MAX_BYTES, DEVICES_MAX, UNUSED_DEVICE_AFTER_S};
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Table};

/// Log in with the code
///
/// Makes the account at the first login of a number, and a device each time. If the account has all the devices that it
/// may have, the oldest one whose tokens were never used makes room: its answer was lost.
#[utoipa::path(
    post, path = "/v1/login", tag = "account", security(()), request_body = Login,
    responses(
        (status = 200, description = "A new device, signed in (RFC 6749 section 5.1).", body = Tokens),
        (status = 403, description = "`pin_required`: the number is locked; the code stays good.", body = Problem),
        (status = 413, description = "`too_large`: the account has all the devices that it may have, and all were used. Log one of them out first.", body = Problem),
        (status = 422, description = "`invalid_code`, `invalid_phone`, `wrong_pin`", body = Problem),
        (status = 429, description = "`rate_limited`", body = Problem),
    )
)]
pub async fn login(
    State(server): State<Arc<Server>>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<Login>,
) -> Result<TokenAnswer> {
    server.rates.logins_per_address.take(by_address(address))?;
    let phone = Phone::parse(&body.phone)?;
    let name = device_name(&body.device_name)?;
    let phone_hash = server.secrets.phone_hash(phone.as_str());
    // A locked number is the business of who has the code: the code stays good for the next try, with the PIN.
    code::check(&server, &phone_hash, body.code.trim()).await?;
    if let Some(account) = directory::account_of_phone(&server.store, &phone_hash).await? {
        lock::open(&server, account, body.pin.as_deref(), body.forgot_pin).await?;
    }
    code::redeem(&server, &phone_hash, body.code.trim()).await?;
    let account = account_of(&server, &phone, &phone_hash).await?;
    let device = make_device(&server, account, name).await?;
    tracing::info!(device = %device.device, "a device logged in");
    Ok(token::answer(&server, device, token::FIRST_GENERATION))
}

pub(super) fn device_name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.len() > DEVICE_NAME_MAX_BYTES || name.chars().any(char::is_control) {
        let detail = format!("device_name must have 1 to {DEVICE_NAME_MAX_BYTES} bytes, without control characters.");
        return Err(Error::new(Code::BadRequest, detail));
    }
    Ok(name.to_owned())
}

/// The one account of a number, made if there is none.
async fn account_of(server: &Server, phone: &Phone, phone_hash: &[u8; 32]) -> Result<AccountId> {
    if let Some(account) = directory::account_of_phone(&server.store, phone_hash).await? {
        return Ok(account);
    }
    let account = AccountId::from_bytes(server.random.bytes());
    let row = Account {
        phone: server.secrets.seal_phone(&server.random, account, phone.as_str()),
        identity_key: None,
        created_ms: server.clock.now_ms(),
        logins: 0,
    };
    let own = Batch::new(Family::Account, account.as_bytes()).assert(Table::Account, [], Assert::Absent).put(
        Table::Account,
        [],
        stored::encode(&row),
    );
    server.store.commit(own).await?;
    let truth = Batch::new(Family::Phone, phone_hash).assert(Table::Phone, [], Assert::Absent).put(
        Table::Phone,
        [],
        account.as_bytes().to_vec(),
    );
    match server.store.commit(truth).await {
        Ok(()) => Ok(account),
        Err(CommitError::Conflict(_)) => {
            let unused = Batch::new(Family::Account, account.as_bytes()).delete(Table::Account, []);
            server.store.commit(unused).await?;
            directory::account_of_phone(&server.store, phone_hash)
                .await?
                .ok_or_else(|| Error::new(Code::Internal, "The account of this number came and went."))
        }
        Err(error) => Err(error.into()),
    }
}

/// How often a login looks again when somebody changes the account at the same time; each time means that another login
/// was faster, and only so many can be.
const TRIES_MAX: usize = 3 * DEVICES_MAX;

pub(super) async fn make_device(server: &Server, account: AccountId, name: String) -> Result<Sender> {
    for _ in 0..TRIES_MAX {
        if let Some(device) = try_device(server, account, &name).await? {
            return Ok(device);
        }
    }
    Err(Error::new(Code::Overloaded, "Too many logins at once; wait.").retry_after_ms(1_000))
}

/// `None` if the account changed meanwhile. The count in its row is part of the commit, so that of two logins at once one
/// sees the other's device, and `DEVICES_MAX` holds.
async fn try_device(server: &Server, account: AccountId, name: &str) -> Result<Option<Sender>> {
    let row = directory::account(&server.store, account)
        .await?
        .ok_or_else(|| Error::new(Code::LoggedOut, "This account is gone."))?;
    let unused = make_room(server, account).await?;
    let device = Sender { account, device: DeviceId::from_bytes(server.random.bytes()) };
    let owner = Batch::new(Family::DeviceOwner, device.device.as_bytes())
        .assert(Table::DeviceOwner, [], Assert::Absent)
        .put(Table::DeviceOwner, [], account.as_bytes().to_vec());
    server.store.commit(owner).await?;
    let counted = Account { logins: row.value.logins + 1, ..row.value };
    let made = Device {
        name: name.to_owned(),
        created_ms: server.clock.now_ms(),
        generation: token::FIRST_GENERATION,
        confirmed: false,
    };
    let mut batch = Batch::new(Family::Account, account.as_bytes())
        .assert(Table::Account, [], Assert::Equals(row.bytes))
        .assert(Table::Device, device.device.as_bytes(), Assert::Absent)
        .put(Table::Account, [], stored::encode(&counted))
        .put(Table::Device, device.device.as_bytes(), stored::encode(&made));
    if let Some((gone, row)) = &unused {
        // Unless it is used at this very moment.
        batch = batch
            .assert(Table::Device, gone.as_bytes(), Assert::Equals(row.bytes.clone()))
            .delete(Table::Device, gone.as_bytes());
    }
    match server.store.commit(batch).await {
        Ok(()) => {}
        Err(CommitError::Conflict(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    if let Some((gone, _)) = unused {
        logout::clean(server, Sender { account, device: gone }).await?;
        tracing::info!(device = %gone, "a device that was never used made room for another");
    }
    Ok(Some(device))
}

/// Nothing to do while the account may have more devices; otherwise the device that has to go. That is one whose login was
/// answered, but the answer never arrived: nobody holds its tokens, so nobody could log it out.
async fn make_room(server: &Server, account: AccountId) -> Result<Option<(DeviceId, Stored<Device>)>> {
    let devices = directory::devices(&server.store, account).await?;
    if devices.len() < DEVICES_MAX {
        return Ok(None);
    }
    let before_ms = server.clock.now_ms().saturating_sub(UNUSED_DEVICE_AFTER_S * 1_000);
    let is_unused =
        |row: &Device| row.generation == token::FIRST_GENERATION && !row.confirmed && row.created_ms <= before_ms;
    let oldest =
        devices.into_iter().filter(|(_, row)| is_unused(&row.value)).min_by_key(|(_, row)| row.value.created_ms);
    let detail =
        || format!("This account has {DEVICES_MAX} devices already; log one of them out first, on any of them.");
    oldest.map(Some).ok_or_else(|| Error::new(Code::TooLarge, detail()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use tidings_store::{Clock, Scan, Store};

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn however_many_ask_at_once_a_number_gets_one_account() {
        let clock = Clock::system();
        let server = Server::open(Config::default(), Store::memory(clock.clone()), clock).await.unwrap();
        let server = Arc::new(server);
        let asks = (0..50).map(|_| {
            let server = server.clone();
            tokio::spawn(async move {
                let phone = Phone::parse("+31612345678").unwrap();
                let phone_hash = server.secrets.phone_hash(phone.as_str());
                account_of(&server, &phone, &phone_hash).await.unwrap()
            })
        });
        let accounts: Vec<_> =
            futures_util::future::join_all(asks).await.into_iter().map(|account| account.unwrap()).collect();
        assert!(accounts.iter().all(|account| *account == accounts[0]));
        let rows = server.store.scan(&Scan::all(Table::Account, accounts[0].as_bytes(), 10)).await.unwrap();
        assert_eq!(rows.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn however_many_log_in_at_once_an_account_gets_no_more_devices_than_it_may_have() {
        let clock = Clock::system();
        let server = Server::open(Config::default(), Store::memory(clock.clone()), clock).await.unwrap();
        let server = Arc::new(server);
        let phone = Phone::parse("+31612345678").unwrap();
        let account = account_of(&server, &phone, &server.secrets.phone_hash(phone.as_str())).await.unwrap();
        let logins = (0..4 * DEVICES_MAX).map(|_| {
            let server = server.clone();
            tokio::spawn(async move { make_device(&server, account, "test".into()).await })
        });
        let made: Vec<_> = futures_util::future::join_all(logins).await.into_iter().map(|it| it.unwrap()).collect();
        let refused = |error: &Error| error.code == Code::TooLarge;
        assert_eq!(made.iter().filter(|it| it.is_ok()).count(), DEVICES_MAX);
        assert!(made.iter().filter_map(|it| it.as_ref().err()).all(refused), "{made:?}");
        assert_eq!(directory::devices(&server.store, account).await.unwrap().len(), DEVICES_MAX);
    }

    #[test]
    fn names_of_devices_are_trimmed_and_bounded() {
        assert_eq!(device_name("  laptop ").unwrap(), "laptop");
        for bad in ["", "  ", "a\u{7}b", &"x".repeat(DEVICE_NAME_MAX_BYTES + 1)] {
            assert_eq!(device_name(bad).unwrap_err().code, Code::BadRequest);
        }
    }
}
