//! `/v1/account/lock`: a PIN that a login on the number needs besides the code, against whoever gets hold of the number.
//!
//! Kept as Argon2id under a secret of the server's, so that a copy of this table cannot be tried out. Every try is a commit
//! that asserts the row as it was read: however many arrive at once, each is counted before it is answered, also over a
//! restart. Devices of the account need no PIN, neither to link another device nor to change or take off the lock.
//!
//! Who forgot it says so at the login: after a waiting time the lock opens without it. Until then every device of the
//! account is told (an entry in its inbox), and any of them can end it. A lock also ends when no device of the account was
//! here for a long time: the number is probably another person's by then.
//!
//! Only who has a valid code learns that a number is locked.

use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::lane::Reply;
use crate::server::Server;
use crate::stored::{self, Stored};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tidings_proto::account::{Lock, PutLock};
use tidings_proto::entry::{Body, Sender};
use tidings_proto::id::{AccountId, MessageId};
use tidings_proto::limit::{PIN_DIGITS_MAX, PIN_DIGITS_MIN, PIN_GUESSES_FREE};
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::log::NewEntry;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Table};
use tokio::sync::{Semaphore, oneshot};

const DAY_MS: u64 = 24 * 3_600_000;
/// The waits after wrong PINs: the first beyond the free ones, and the longest.
const WAIT_FIRST_MS: u64 = 60_000;
const WAIT_MAX_MS: u64 = 24 * 3_600_000;
/// How often a try looks again when others are counted at the same time.
const TRIES_MAX: u32 = 8;
/// Argon2id (RFC 9106): a few hundredths of a second. What makes guessing slow is the count.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes at once, each with that memory.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Version 1 of a row of `Table::Lock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    salt: ByteArray<16>,
    hash: ByteArray<32>,
    set_ms: u64,
    /// When a device of the account was last here, within a day.
    seen_ms: u64,
    /// Wrong PINs since the last right one, and when the last of them was.
    wrong: u32,
    wrong_ms: u64,
    /// When it opens for who forgot the PIN.
    reset_ms: Option<u64>,
}

impl Row {
    /// When the next PIN is looked at.
    fn open_at_ms(&self) -> u64 {
        match self.wrong.checked_sub(PIN_GUESSES_FREE) {
            None => 0,
            Some(over) => self.wrong_ms + (WAIT_FIRST_MS << over.min(16)).min(WAIT_MAX_MS),
        }
    }

    fn has_ended(&self, server: &Server) -> bool {
        let now_ms = server.clock.now_ms();
        let idle_ms = u64::from(server.config.lock.idle_days) * DAY_MS;
        self.reset_ms.is_some_and(|at_ms| at_ms <= now_ms) || self.seen_ms.max(self.set_ms) + idle_ms <= now_ms
    }
}

/// The lock of one's number
#[utoipa::path(
    get, path = "/v1/account/lock", tag = "account", security(("access_token" = [])),
    responses((status = 200, description = "Whether it is on, and whether somebody is about to open it.", body = Lock))
)]
pub async fn get(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<Json<Lock>> {
    let row = find(&server, me.account).await?.filter(|row| !row.value.has_ended(&server));
    Ok(Json(match row {
        Some(row) => Lock { on: true, set_ms: row.value.set_ms, reset_ms: row.value.reset_ms },
        None => Lock { on: false, set_ms: 0, reset_ms: None },
    }))
}

/// Lock one's number
#[utoipa::path(
    put, path = "/v1/account/lock", tag = "account", security(("access_token" = [])), request_body = PutLock,
    responses(
        (status = 204, description = "From now on a login on the number needs this PIN too."),
        (status = 400, description = "`bad_request`: too short, too long, or not of digits.", body = Problem),
    )
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<PutLock>,
) -> Result<StatusCode> {
    let length = PIN_DIGITS_MIN..=PIN_DIGITS_MAX;
    if !length.contains(&body.pin.len()) || !body.pin.bytes().all(|byte| byte.is_ascii_digit()) {
        let detail = format!("A PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits.");
        return Err(Error::new(Code::BadRequest, detail));
    }
    let salt: [u8; 16] = server.random.bytes();
    let now_ms = server.clock.now_ms();
    let hash = hash(&server, &salt, body.pin).await?.into();
    let row = Row { salt: salt.into(), hash, set_ms: now_ms, seen_ms: now_ms, wrong: 0, wrong_ms: 0, reset_ms: None };
    let batch = Batch::new(Family::Account, me.account.as_bytes())
        .assert(Table::Device, me.device.as_bytes(), Assert::Present)
        .put(Table::Lock, [], stored::encode(&row));
    match server.store.commit(batch).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CommitError::Conflict(_)) => Err(crate::logout::why(&server, me.account).await?),
        Err(error) => Err(error.into()),
    }
}

/// Take the lock off
#[utoipa::path(
    delete, path = "/v1/account/lock", tag = "account", security(("access_token" = [])),
    responses((status = 204, description = "A code is enough again."))
)]
pub async fn delete(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<StatusCode> {
    remove(&server, me.account).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End the reset of the lock
///
/// Whoever said that they forgot the PIN has to begin again.
#[utoipa::path(
    delete, path = "/v1/account/lock/reset", tag = "account", security(("access_token" = [])),
    responses((status = 204, description = "The lock holds."))
)]
pub async fn end_reset(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<StatusCode> {
    for _ in 0..TRIES_MAX {
        let Some(row) = find(&server, me.account).await? else { return Ok(StatusCode::NO_CONTENT) };
        if row.value.reset_ms.is_none() {
            return Ok(StatusCode::NO_CONTENT);
        }
        let ended = Row { reset_ms: None, ..row.value.clone() };
        if replace(&server, me.account, &row, &ended).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(busy())
}

/// A login with a right code, on the number of this account. `forgot`: the person says so.
pub async fn open(server: &Arc<Server>, account: AccountId, pin: Option<&str>, forgot: bool) -> Result<()> {
    if pin.is_some() || !forgot {
        return check(server, account, pin).await;
    }
    for _ in 0..TRIES_MAX {
        let Some(row) = standing(server, account).await? else { return Ok(()) };
        if let Some(opens_ms) = row.value.reset_ms {
            return Err(required(server, opens_ms));
        }
        let opens_ms = server.clock.now_ms() + u64::from(server.config.lock.reset_days) * DAY_MS;
        let waiting = Row { reset_ms: Some(opens_ms), ..row.value.clone() };
        if replace(server, account, &row, &waiting).await? {
            tell(server, account, opens_ms).await?;
            return Err(required(server, opens_ms));
        }
    }
    Err(busy())
}

/// Whether this PIN opens the lock of an account; without a lock, anything does.
pub async fn check(server: &Server, account: AccountId, pin: Option<&str>) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let Some(row) = standing(server, account).await? else { return Ok(()) };
        let Some(pin) = pin else {
            return Err(row.value.reset_ms.map_or_else(
                || Error::new(Code::PinRequired, "This number is locked: its PIN is needed too."),
                |opens_ms| required(server, opens_ms),
            ));
        };
        let now_ms = server.clock.now_ms();
        let wait_ms = row.value.open_at_ms().saturating_sub(now_ms);
        if wait_ms > 0 {
            return Err(Error::new(Code::RateLimited, "Too many wrong PINs; wait.").retry_after_ms(wait_ms));
        }
        let given = hash(server, &row.value.salt, pin.to_owned()).await?;
        let right = bool::from(given.ct_eq(&*row.value.hash));
        let counted = match right {
            // Who knows the PIN has not forgotten it.
            true => Row { wrong: 0, wrong_ms: 0, reset_ms: None, ..row.value.clone() },
            false => Row { wrong: row.value.wrong.saturating_add(1), wrong_ms: now_ms, ..row.value.clone() },
        };
        // Also if it is right: of many that are tried at once, those that lose this race are not answered.
        if replace(server, account, &row, &counted).await? {
            return if right { Ok(()) } else { Err(wrong(&counted, now_ms)) };
        }
    }
    Err(busy())
}

/// A device of the account is here: its lock does not end for a while.
pub async fn seen(server: &Server, account: AccountId) -> Result<()> {
    let Some(row) = find(server, account).await? else { return Ok(()) };
    let now_ms = server.clock.now_ms();
    if row.value.has_ended(server) || now_ms < row.value.seen_ms + DAY_MS {
        return Ok(());
    }
    let seen = Row { seen_ms: now_ms, ..row.value.clone() };
    // Who was faster saw it too.
    replace(server, account, &row, &seen).await.map(drop)
}

/// The lock, if it holds; one that has ended is taken off.
async fn standing(server: &Server, account: AccountId) -> Result<Option<Stored<Row>>> {
    let Some(row) = find(server, account).await? else { return Ok(None) };
    if !row.value.has_ended(server) {
        return Ok(Some(row));
    }
    // Not one that a device sets at this moment.
    let batch = Batch::new(Family::Account, account.as_bytes())
        .assert(Table::Lock, [], Assert::Equals(row.bytes))
        .delete(Table::Lock, []);
    match server.store.commit(batch).await {
        Ok(()) | Err(CommitError::Conflict(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn find(server: &Server, account: AccountId) -> Result<Option<Stored<Row>>> {
    let row = server.store.get(&Key::new(Table::Lock, account.as_bytes(), [])).await?;
    Ok(row.map(|bytes| stored::decode(Table::Lock, bytes)).transpose()?)
}

/// False: somebody else changed it meanwhile.
async fn replace(server: &Server, account: AccountId, row: &Stored<Row>, new: &Row) -> Result<bool> {
    let batch = Batch::new(Family::Account, account.as_bytes())
        .assert(Table::Lock, [], Assert::Equals(row.bytes.clone()))
        .put(Table::Lock, [], stored::encode(new));
    match server.store.commit(batch).await {
        Ok(()) => Ok(true),
        Err(CommitError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn remove(server: &Server, account: AccountId) -> Result<()> {
    let batch = Batch::new(Family::Account, account.as_bytes()).delete(Table::Lock, []);
    Ok(server.store.commit(batch).await?)
}

/// Every device of the account finds it in its inbox.
async fn tell(server: &Arc<Server>, account: AccountId, opens_ms: u64) -> Result<()> {
    let message_id = MessageId::new(server.clock.now_ms(), server.random.bytes());
    let mut told = Vec::new();
    for (device, _) in directory::devices(&server.store, account).await? {
        let to = Sender { account, device };
        let inbox = server.lanes.open_inbox(server, to).await?;
        let body = Body::LockReset { opens_ms };
        let expires_in_ms = Some(opens_ms.saturating_sub(server.clock.now_ms()));
        let entry = NewEntry { message_id, sender: to, epoch: 0, body, expires_in_ms };
        let (answer, answered) = oneshot::channel();
        inbox.append_checked(server, entry, Reply::Call(answer))?;
        told.push(answered);
    }
    for answered in told {
        answered
            .await
            .map_err(|_| Error::new(Code::Internal, "The server lost track of this request; try again."))??;
    }
    tracing::info!("somebody forgot the PIN of a number");
    Ok(())
}

async fn hash(server: &Server, salt: &[u8; 16], pin: String) -> Result<[u8; 32]> {
    let lost = || Error::new(Code::Internal, "The PIN could not be checked.");
    let _turn = HASHING.acquire().await.map_err(|_| lost())?;
    let (pepper, salt) = (*server.secrets.pin_pepper(), *salt);
    let hashing = tokio::task::spawn_blocking(move || {
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).ok()?;
        let argon2 = Argon2::new_with_secret(&pepper, Algorithm::Argon2id, Version::V0x13, params).ok()?;
        let mut out = [0; 32];
        argon2.hash_password_into(pin.as_bytes(), &salt, &mut out).ok()?;
        Some(out)
    });
    hashing.await.ok().flatten().ok_or_else(lost)
}

fn required(server: &Server, opens_ms: u64) -> Error {
    let left_ms = opens_ms.saturating_sub(server.clock.now_ms()).max(1);
    let hours = left_ms.div_ceil(3_600_000);
    let detail = format!(
        "This number is locked. Without its PIN it opens in {hours} hours, unless a device of the account ends that; then \
         log in again."
    );
    Error::new(Code::PinRequired, detail).retry_after_ms(left_ms)
}

fn wrong(row: &Row, now_ms: u64) -> Error {
    let wait_s = row.open_at_ms().saturating_sub(now_ms) / 1_000;
    let free = PIN_GUESSES_FREE.saturating_sub(row.wrong);
    let next = if free > 0 { format!("{free} more may be tried at once.") } else { format!("Wait {wait_s} s.") };
    Error::new(Code::WrongPin, format!("This is not the PIN of this number. {next}"))
}

fn busy() -> Error {
    Error::new(Code::Overloaded, "Too many tries at once; wait.").retry_after_ms(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Row {
        Row {
            salt: [1; 16].into(),
            hash: [2; 32].into(),
            set_ms: 3,
            seen_ms: 4,
            wrong: 5,
            wrong_ms: 1_700_000_000_000,
            reset_ms: Some(6),
        }
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let hex: String = stored::encode(&example()).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("lock_stored", hex);
        assert_eq!(stored::decode::<Row>(Table::Lock, stored::encode(&example())).unwrap().value, example());
    }

    #[test]
    fn wrong_pins_wait_longer_each_time_up_to_a_day() {
        let wait = |wrong| Row { wrong, ..example() }.open_at_ms().saturating_sub(1_700_000_000_000);
        assert_eq!((wait(0), wait(2), wait(3), wait(4)), (0, 0, 60_000, 120_000));
        assert_eq!((wait(30), wait(u32::MAX)), (WAIT_MAX_MS, WAIT_MAX_MS));
    }
}
