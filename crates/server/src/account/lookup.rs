//! `POST /v1/contacts/lookup`: which of these numbers have an account.

use crate::account::lookup_use;
use crate::account::phone::Phone;
use crate::auth::Authenticated;
use crate::directory;
use crate::error::{Error, Result};
use crate::server::Server;
use crate::sharing;
use axum::Json;
use axum::extract::State;
use std::num::NonZeroU32;
use std::sync::Arc;
use tidings_proto::http::{Found, Lookup, Match};
use tidings_proto::id::AccountId;
use tidings_proto::limit::LOOKUP_PHONES_MAX;
use tidings_proto::problem::{Code, Problem};
use tidings_store::{Key, Table};

/// Find people by number
///
/// Numbers that are not valid have no account, and neither have those of people who do not let one find them
/// (`PUT /v1/me/privacy`). How many one may look up is limited, per hour and per day, and how many
/// everybody together may look up per day; ask once and keep the answer.
#[utoipa::path(
    post, path = "/v1/contacts/lookup", tag = "account", security(("access_token" = [])), request_body = Lookup,
    responses(
        (status = 200, description = "Only those that have an account, as they were written.", body = Found),
        (status = 413, description = "`too_large`", body = Problem),
        (status = 429, description = "`rate_limited`", body = Problem),
    )
)]
pub async fn lookup(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(body): Json<Lookup>,
) -> Result<Json<Found>> {
    if body.phones.len() > LOOKUP_PHONES_MAX {
        return Err(Error::new(Code::TooLarge, format!("At most {LOOKUP_PHONES_MAX} numbers at once.")));
    }
    if let Some(count) = NonZeroU32::new(body.phones.len() as u32) {
        server.rates.lookups_per_account.take_many(*me.account.as_bytes(), count)?;
        lookup_use::take(&server, me.account, count.get()).await?;
    }
    let (mut texts, mut keys) = (Vec::new(), Vec::new());
    for text in body.phones {
        if let Ok(phone) = Phone::parse(&text) {
            keys.push(Key::new(Table::Phone, server.secrets.phone_hash(phone.as_str()), []));
            texts.push(text);
        }
    }
    let mut matches = Vec::new();
    for (phone, row) in texts.into_iter().zip(server.store.get_many(&keys).await?) {
        if let Some(row) = row {
            matches.push(Match { phone, account: directory::account_id(Table::Phone, &row)? });
        }
    }
    Ok(Json(Found { matches: findable(&server, me.account, matches).await? }))
}

/// Those who let this account find them; the others are as if they were not here.
async fn findable(server: &Server, me: AccountId, all: Vec<Match>) -> Result<Vec<Match>> {
    let accounts: Vec<AccountId> = all.iter().map(|found| found.account).collect();
    let mut matches = Vec::with_capacity(all.len());
    for (found, sharing) in all.into_iter().zip(sharing::load(&server.store, &accounts).await?) {
        if sharing::permits(&server.store, found.account, sharing.find_me, me).await? {
            matches.push(found);
        }
    }
    Ok(matches)
}
