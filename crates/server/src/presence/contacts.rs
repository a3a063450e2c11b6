//! `PUT /v1/me/contacts`: who counts as a contact, for those who share something with contacts only.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use crate::sharing;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::http::PutContacts;
use tidings_proto::limit::CONTACTS_MAX;
use tidings_proto::problem::{Code, Problem};

/// Says who one's contacts are
///
/// Replaces the list. It is only needed while something of `/v1/me/privacy` is for `contacts`, and no client uploads it otherwise;
/// an empty one deletes it. The server uses it for nothing else, and shows it to nobody.
#[utoipa::path(
    put, path = "/v1/me/contacts", tag = "presence", request_body = PutContacts,
    responses((status = 204), (status = "4XX", body = Problem), (status = "5XX", body = Problem)),
)]
pub async fn put(
    State(server): State<Arc<Server>>,
    Authenticated(sender): Authenticated,
    Json(PutContacts { accounts }): Json<PutContacts>,
) -> Result<StatusCode> {
    if accounts.len() > CONTACTS_MAX {
        return Err(Error::new(Code::TooLarge, format!("At most {CONTACTS_MAX} contacts.")));
    }
    sharing::save_contacts(&server.store, sender.account, accounts).await?;
    server.online.announce(&server, sender.account);
    server.online.announce_to(&server, sender.account);
    Ok(StatusCode::NO_CONTENT)
}
