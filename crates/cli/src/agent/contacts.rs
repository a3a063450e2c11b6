//! The address book of this account.

use super::Agent;
use super::problem::{Problem, Result};
use crate::command::contacts::{Imported, import};
use crate::person::Phone;
use crate::show::contact::Contact;
use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidings_client::address_book::vcard::FILE_MAX_BYTES;
use tidings_client::command::NewContact;
use tidings_client::{Command, Reply};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    let import = OpenApiRouter::new().routes(routes!(import_file)).layer(DefaultBodyLimit::max(FILE_MAX_BYTES));
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(put, remove)).routes(routes!(find)).merge(import)
}

#[derive(Serialize, ToSchema)]
struct Contacts {
    /// By name.
    contacts: Vec<Contact>,
}

#[derive(Deserialize, ToSchema)]
struct PutContact {
    name: String,
}

/// The address book.
#[utoipa::path(get, path = "/v1/contacts", tag = "people",
    responses((status = 200, body = Contacts), (status = "default", body = Problem)))]
async fn list(State(agent): State<Arc<Agent>>) -> Result<Json<Contacts>> {
    ask(&agent, Command::Contacts).await
}

/// Put somebody in, or give them another name.
#[utoipa::path(put, path = "/v1/contacts/{phone}", tag = "people", request_body = PutContact,
    params(("phone" = String, Path, description = "As in `+31687654321`")),
    responses((status = 204), (status = "default", body = Problem)))]
async fn put(
    State(agent): State<Arc<Agent>>,
    phone: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<PutContact>, JsonRejection>,
) -> Result<StatusCode> {
    let phone = number(&phone?)?.to_string();
    let Json(PutContact { name }) = body?;
    agent.handle.ask(Command::AddContacts { contacts: vec![NewContact { phone, name }] }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Take somebody out.
#[utoipa::path(delete, path = "/v1/contacts/{phone}", tag = "people", params(("phone" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn remove(
    State(agent): State<Arc<Agent>>,
    phone: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    let phone = number(&phone?)?.to_string();
    agent.handle.ask(Command::RemoveContact { phone }).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask the server who of them is there, as far as that is not known. What was found before an error stays;
/// `rate_limited` says when to go on.
#[utoipa::path(post, path = "/v1/contacts/find", tag = "people",
    responses((status = 200, body = Contacts), (status = "default", body = Problem)))]
async fn find(State(agent): State<Arc<Agent>>) -> Result<Json<Contacts>> {
    ask(&agent, Command::FindContacts).await
}

/// Take people from a vCard file, version 3.0 or 4.0. Numbers without a country code are of this account's country.
#[utoipa::path(post, path = "/v1/contacts/import", tag = "people",
    request_body(content = String, content_type = "text/vcard"),
    responses((status = 200, body = Imported), (status = "default", body = Problem)))]
async fn import_file(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Imported>> {
    let too_large = |_| Problem::new(413, "too_long", format!("A file has at most {FILE_MAX_BYTES} bytes."));
    Ok(Json(import(&agent.handle, &body.map_err(too_large)?).await?))
}

async fn ask(agent: &Agent, command: Command) -> Result<Json<Contacts>> {
    match agent.handle.ask(command).await?? {
        Reply::Contacts(contacts) => Ok(Json(Contacts { contacts: contacts.iter().map(Into::into).collect() })),
        other => Err(crate::command::unexpected(&other).into()),
    }
}

fn number(text: &str) -> Result<Phone> {
    text.parse().map_err(|why| Problem::new(422, "invalid_phone", format!("{text:?}: {why}.")))
}
