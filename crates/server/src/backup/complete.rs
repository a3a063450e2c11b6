//! `PUT /v1/backup`: a backup is complete.

use super::row::{self, HEAD, Head};
use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use crate::stored;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::backup::PutBackup;
use tidings_proto::problem::{Code, Problem};
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Table};

/// Complete a backup
///
/// From now on a restore begins with this manifest. Of two devices that do this at once, one is told `conflict`, reads
/// the present generation, and goes on from there.
#[utoipa::path(
    put, path = "/v1/backup", tag = "backup", request_body = PutBackup,
    responses(
        (status = 204, description = "This is the newest one now."),
        (status = 404, description = "`not_found`: there is no such blob.", body = Problem),
        (status = 409, description = "`conflict`: not the present generation's successor.", body = Problem),
    )
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<PutBackup>,
) -> Result<StatusCode> {
    let former = row::head(&server, me.account).await?;
    if former
        .as_ref()
        .is_some_and(|former| (former.value.generation, former.value.manifest) == (body.generation, body.manifest))
    {
        // The answer was lost.
        return Ok(StatusCode::NO_CONTENT);
    }
    let present = former.as_ref().map_or(0, |former| former.value.generation);
    if present.checked_add(1) != Some(body.generation) {
        return Err(conflict(present));
    }
    let head = Head { generation: body.generation, manifest: body.manifest, made_ms: server.clock.now_ms() };
    let batch = Batch::new(Family::Blob, me.account.as_bytes())
        .assert(Table::Blob, body.manifest.as_bytes(), Assert::Present)
        .assert(Table::Backup, HEAD, former.map_or(Assert::Absent, |former| Assert::Equals(former.bytes)))
        .put(Table::Backup, HEAD, stored::encode(&head));
    match server.store.commit(batch).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CommitError::Conflict(0)) => Err(Error::not_found("blob")),
        Err(CommitError::Conflict(_)) => Err(conflict(present)),
        Err(error) => Err(error.into()),
    }
}

fn conflict(present: u64) -> Error {
    Error::new(Code::Conflict, format!("The present generation is {present}, or another device is just making one."))
}
