//! `POST /v1/backup/key/open`: the wrapped key for a proof of the secret.
//!
//! Every wrong guess is a commit that asserts the row as it was read, so however many arrive at once, each is counted
//! before it is answered.

use super::row::{self, KEY, Key};
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::State;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tidings_proto::backup::{OpenBackupKey, OpenedBackupKey};
use tidings_proto::limit::BACKUP_GUESSES_FREE;
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Table};

/// How often a guess looks again when others are counted at the same time.
const TRIES_MAX: u32 = 8;

/// Open the backup's key
///
/// After five wrong proofs the next one waits a minute, and twice as long each time, up to a day.
#[utoipa::path(
    post, path = "/v1/backup/key/open", tag = "backup", request_body = OpenBackupKey,
    responses(
        (status = 200, description = "The proof is right.", body = OpenedBackupKey),
        (status = 404, description = "`not_found`: this account has no backup.", body = Problem),
        (status = 422, description = "`wrong_passphrase`", body = Problem),
        (status = 429, description = "`rate_limited`: too many wrong proofs; nothing was compared.", body = Problem),
    )
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<OpenBackupKey>,
) -> Result<Json<OpenedBackupKey>> {
    let given: [u8; 32] = Sha256::digest(body.proof.as_slice()).into();
    for _ in 0..TRIES_MAX {
        let row = row::key(&server, me.account).await?.ok_or_else(|| Error::not_found("backup"))?;
        let now_ms = server.clock.now_ms();
        let wait_ms = row.value.open_at_ms().saturating_sub(now_ms);
        if wait_ms > 0 {
            let detail = "Too many wrong guesses of this backup's secret; wait.";
            return Err(Error::new(Code::RateLimited, detail).retry_after_ms(wait_ms));
        }
        let right = bool::from(given.ct_eq(&*row.value.proof_hash));
        let key = match (right, row.value.wrong) {
            (true, 0) => return Ok(Json(OpenedBackupKey { wrapped: row.value.wrapped.into() })),
            (true, _) => Key { wrong: 0, wrong_ms: 0, ..row.value },
            (false, wrong) => Key { wrong: wrong.saturating_add(1), wrong_ms: now_ms, ..row.value },
        };
        let batch = Batch::new(Family::Blob, me.account.as_bytes())
            .assert(Table::Backup, KEY, Assert::Equals(row.bytes))
            .put(Table::Backup, KEY, stored::encode(&key));
        match server.store.commit(batch).await {
            Ok(()) if right => return Ok(Json(OpenedBackupKey { wrapped: key.wrapped.into() })),
            Ok(()) => return Err(wrong(&key, now_ms)),
            Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::new(Code::Overloaded, "Too many guesses at once; wait.").retry_after_ms(1_000))
}

fn wrong(key: &Key, now_ms: u64) -> Error {
    let free = BACKUP_GUESSES_FREE.saturating_sub(key.wrong);
    let wait_s = key.open_at_ms().saturating_sub(now_ms) / 1_000;
    let next = if free > 0 { format!("{free} more may be tried at once.") } else { format!("Wait {wait_s} s.") };
    Error::new(Code::WrongPassphrase, format!("This is not the secret of this backup. {next}"))
}
