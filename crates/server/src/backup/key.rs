//! `PUT` and `DELETE /v1/backup/key`: set the secret, or end the backup.

use super::row::{HEAD, KEY, Key};
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tidings_proto::backup::PutBackupKey;
use tidings_proto::limit::WRAPPED_KEY_MAX_BYTES;
use tidings_proto::problem::{Code, Problem};
use tidings_store::table::Family;
use tidings_store::{Batch, Table};

const SALT_BYTES: usize = 16;
const PROOF_BYTES: usize = 32;

/// Set the backup's secret
#[utoipa::path(
    put, path = "/v1/backup/key", tag = "backup", request_body = PutBackupKey,
    responses(
        (status = 204, description = "Set; a former secret opens nothing any more."),
        (status = 422, description = "`invalid_key`: a size is wrong.", body = Problem),
    )
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<PutBackupKey>,
) -> Result<StatusCode> {
    let sizes = (body.kdf.salt.len(), body.proof.len(), body.wrapped.len());
    if sizes.0 != SALT_BYTES || sizes.1 != PROOF_BYTES || !(1..=WRAPPED_KEY_MAX_BYTES).contains(&sizes.2) {
        let detail =
            format!("salt has {SALT_BYTES} bytes, proof {PROOF_BYTES}, wrapped at most {WRAPPED_KEY_MAX_BYTES}.");
        return Err(Error::new(Code::InvalidKey, detail));
    }
    let key = Key {
        kdf: body.kdf,
        proof_hash: <[u8; 32]>::from(Sha256::digest(body.proof.as_slice())).into(),
        wrapped: body.wrapped.as_slice().to_vec(),
        wrong: 0,
        wrong_ms: 0,
    };
    let batch = Batch::new(Family::Blob, me.account.as_bytes()).put(Table::Backup, KEY, stored::encode(&key));
    server.store.commit(batch).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End the backup
///
/// Its blobs stay until they are deleted; without the key they are noise.
#[utoipa::path(
    delete, path = "/v1/backup/key", tag = "backup",
    responses((status = 204, description = "This account has no backup any more."))
)]
pub async fn delete(State(server): State<Arc<Server>>, Authenticated(me): Authenticated) -> Result<StatusCode> {
    let batch = Batch::new(Family::Blob, me.account.as_bytes()).delete(Table::Backup, KEY).delete(Table::Backup, HEAD);
    server.store.commit(batch).await?;
    Ok(StatusCode::NO_CONTENT)
}
