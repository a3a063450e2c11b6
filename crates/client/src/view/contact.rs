//! [`Contact`]: the address book, and who of it is here.

use super::{Contact, Found};
use crate::address_book::find::NOBODY_KEPT_MS;
use crate::profile;
use crate::step::{Step, Stop};
use rusqlite::params;
use tidings_proto::id::{AccountId, ConversationId};

/// By name.
pub(crate) fn list(step: &Step<'_>) -> Result<Vec<Contact>, Stop> {
    let me = step.me()?;
    let (own, asked_after) = (me.sender.account, step.now_ms.saturating_sub(NOBODY_KEPT_MS));
    let mut contacts: Vec<Contact> = step
        .tx
        .prepare_cached(
            "SELECT b.phone, b.name, c.account, c.name, c.about, c.picture, c.blocked, n.phone
             FROM address_book b LEFT JOIN contact c ON c.phone = b.phone
             LEFT JOIN nobody n ON n.phone = b.phone AND n.asked_ms > ?1
             WHERE b.name IS NOT NULL",
        )?
        .query_map(params![asked_after], |row| {
            let account = row.get::<_, Option<[u8; 16]>>(2)?.map(AccountId::from_bytes);
            let nobody: Option<String> = row.get(7)?;
            Ok(Contact {
                phone: row.get(0)?,
                name: row.get(1)?,
                found: match (account, nobody) {
                    (Some(_), _) => Found::Here,
                    (None, Some(_)) => Found::Nobody,
                    (None, None) => Found::Unknown,
                },
                account,
                conversation: account.filter(|account| *account != own).map(|it| ConversationId::direct(own, it)),
                profile_name: row.get::<_, Option<String>>(3)?.filter(|name| !name.is_empty()),
                about: row.get(4)?,
                picture: profile::picture(row.get(5)?).as_ref().map(profile::picture_id),
                blocked: row.get::<_, Option<bool>>(6)?.unwrap_or(false),
            })
        })?
        .collect::<Result<_, _>>()?;
    contacts.sort_by_cached_key(|contact| (contact.name.to_lowercase(), contact.phone.clone()));
    Ok(contacts)
}
