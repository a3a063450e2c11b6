//! The address book: the names that a person gives to phone numbers. It is on the person's devices only; the server never
//! has it (what it is asked: `find`).
//!
//! A name from here goes before what people call themselves. Each row carries the `Stamp` of its last change, and of two
//! about a number the later one counts: so one's own devices (through the self chat, `Said`), archives and backups end
//! with the same, whatever the order in which they come. A number that was taken out stays as a row without a name.
//!
//! * `find`: who of them is here. * `share`: who one's contacts are, for the server, if it has to know. * [`vcard`]: the files that address books export.

pub(crate) mod find;
pub(crate) mod share;
pub mod vcard;

use crate::chat_state::Stamp;
use crate::chat_state::sync::{self, Said};
use crate::command::NewContact;
use crate::contact::{self, normalize_phone};
use crate::content::NAME_MAX_BYTES;
use crate::conversation;
use crate::error::ClientError;
use crate::event::Event;
use crate::profile::{self, one_line};
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view::FOR_EVER_MS;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::limit::CONTACTS_MAX;

/// Changes in one message to one's other devices: with the longest names about 15 KB.
const TOLD_AT_ONCE: usize = 100;

/// A row, as devices tell it to each other. The names are for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub phone: String,
    /// `None`: taken out.
    pub name: Option<String>,
    pub stamp: Stamp,
}

/// The command. All of them, or none: everything is looked at before anything is written. Of two about one number the last counts.
pub(crate) fn add(step: &mut Step<'_>, contacts: &[NewContact]) -> Result<Reply, Stop> {
    step.me()?;
    let (mut added, mut renamed) = (0, 0);
    let mut wanted = BTreeMap::new();
    for NewContact { phone, name } in contacts {
        let name = one_line(name, NAME_MAX_BYTES)?;
        if name.is_empty() {
            return Err(ClientError::NotAllowed { why: "a contact has a name".into() }.into());
        }
        wanted.insert(normalize_phone(phone)?, name);
    }
    let mut changes = Vec::new();
    for (phone, name) in wanted {
        match name_of_phone(step.tx, &phone)? {
            Some(known) if known == name => continue,
            Some(_) => renamed += 1,
            None => added += 1,
        }
        changes.push((phone, name));
    }
    if count(step.tx)?.saturating_add(added) > CONTACTS_MAX {
        return Err(
            ClientError::NotAllowed { why: format!("an address book has at most {CONTACTS_MAX} numbers") }.into()
        );
    }
    let mut changed = Vec::with_capacity(changes.len());
    for (phone, name) in changes {
        changed.push(set(step, phone, Some(name))?);
    }
    tell(step, changed)?;
    Ok(Reply::ContactsAdded { added: added as u64, renamed })
}

/// The command.
pub(crate) fn remove(step: &mut Step<'_>, phone: &str) -> Result<Reply, Stop> {
    let phone = normalize_phone(phone)?;
    if name_of_phone(step.tx, &phone)?.is_none() {
        return Err(ClientError::NotAllowed { why: format!("{phone} is not in your address book") }.into());
    }
    let entry = set(step, phone, None)?;
    tell(step, vec![entry])?;
    Ok(Reply::Done)
}

/// A change that is made on this device, now.
fn set(step: &mut Step<'_>, phone: String, name: Option<String>) -> Result<Entry, Stop> {
    let known: Option<u64> = step
        .tx
        .prepare_cached("SELECT stamp_ms FROM address_book WHERE phone = ?1")?
        .query_row([&phone], |row| row.get(0))
        .optional()?;
    // It counts more than what it replaces, also where a clock runs behind.
    let ms = step.now_ms.max(known.map_or(0, |known| known.saturating_add(1)));
    let entry = Entry { phone, name, stamp: Stamp { ms, device: step.me()?.sender.device } };
    apply(step, &entry)?;
    Ok(entry)
}

fn tell(step: &mut Step<'_>, changed: Vec<Entry>) -> Done {
    for some in changed.chunks(TOLD_AT_ONCE) {
        sync::tell(step, &Said::Contacts { contacts: some.to_vec() })?;
    }
    Ok(())
}

/// Another device of one's own says so.
pub(crate) fn heard(step: &mut Step<'_>, entries: &[Entry]) -> Done {
    for entry in entries {
        let fits = normalize_phone(&entry.phone).is_ok_and(|phone| phone == entry.phone)
            && entry.name.as_ref().is_none_or(|name| !name.is_empty() && name.len() <= NAME_MAX_BYTES);
        if fits {
            apply(step, entry)?;
        }
    }
    Ok(())
}

/// Of two about the same number the later one counts.
fn apply(step: &mut Step<'_>, entry: &Entry) -> Done {
    let Entry { phone, name, stamp } = entry;
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO address_book (phone, name, stamp_ms, stamp_device) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (phone) DO UPDATE
             SET name = excluded.name, stamp_ms = excluded.stamp_ms, stamp_device = excluded.stamp_device
             WHERE (excluded.stamp_ms, excluded.stamp_device) > (stamp_ms, stamp_device)",
        )?
        .execute(params![phone, name, stamp.ms.min(FOR_EVER_MS), stamp.device.as_bytes()])?;
    if changed > 0 {
        step.event(Event::ContactsChanged);
        if let Some(account) = contact::with_phone(step.tx, phone)? {
            let conversation = ConversationId::direct(step.me()?.sender.account, account);
            step.event(Event::ConversationChanged { conversation });
            if profile::is_for_contacts(step)? {
                // What they may see now they get with the next message.
                conversation::set_profile_told(step.tx, conversation, false)?;
            }
        }
        share::changed(step.tx)?;
    }
    Ok(())
}

/// What the person calls whoever has this number.
pub(crate) fn name_of_phone(tx: &Connection, phone: &str) -> rusqlite::Result<Option<String>> {
    let name = tx
        .prepare_cached("SELECT name FROM address_book WHERE phone = ?1")?
        .query_row([phone], |row| row.get::<_, Option<String>>(0))
        .optional()?;
    Ok(name.flatten())
}

/// The accounts of those in the book that are known to be here, without those who are blocked.
pub(crate) fn accounts(tx: &Connection) -> rusqlite::Result<Vec<AccountId>> {
    tx.prepare_cached(
        "SELECT c.account FROM address_book b JOIN contact c ON c.phone = b.phone WHERE b.name IS NOT NULL
         AND c.blocked = 0",
    )?
    .query_map([], |row| Ok(AccountId::from_bytes(row.get(0)?)))?
    .collect()
}

/// Whether this person is in it, and not blocked.
pub(crate) fn has(tx: &Connection, account: AccountId) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT 1 FROM contact c JOIN address_book b ON b.phone = c.phone
         WHERE c.account = ?1 AND b.name IS NOT NULL AND c.blocked = 0",
    )?
    .exists([account.as_bytes()])
}

fn count(tx: &Connection) -> rusqlite::Result<usize> {
    tx.prepare_cached("SELECT count(*) FROM address_book WHERE name IS NOT NULL")?.query_row([], |row| row.get(0))
}
