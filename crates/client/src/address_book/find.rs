//! Who of the address book is here. The server is asked about numbers, in batches, and nothing else; it learns which numbers
//! this account asks about (docs/security.md), so each is asked about once: that somebody is here is kept for good, that
//! nobody is for [`NOBODY_KEPT_MS`].

use crate::contact;
use crate::event::Event;
use crate::http::{self, Answer, Failure};
use crate::io::{CallId, Method};
use crate::memory::Purpose;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view;
use rusqlite::params;
use tidings_proto::http::{Found, Lookup};
use tidings_proto::limit::LOOKUP_PHONES_MAX;

/// How long the answer counts that a number has no account.
pub(crate) const NOBODY_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// The command: asks about those that are not known, a batch after the other.
pub(crate) fn find(step: &mut Step<'_>, reply: CallId) -> Result<Option<Reply>, Stop> {
    let phones = unknown(step)?;
    if phones.is_empty() {
        return Ok(Some(Reply::Contacts(view::contact::list(step)?)));
    }
    let body = http::json(&Lookup { phones: phones.clone() });
    http::ask(step, Purpose::FindContacts { reply, phones }, Method::Post, "/v1/contacts/lookup", body)?;
    Ok(None)
}

/// What was found so far stays, also if the server wants the rest to wait.
pub(crate) fn found(step: &mut Step<'_>, reply: CallId, phones: &[String], answer: Answer) -> Done {
    if let Err(failure) = note(step, phones, answer)? {
        step.reply(reply, Err(failure.to_client_error()));
        return Ok(());
    }
    if let Some(done) = find(step, reply)? {
        step.reply(reply, Ok(done));
    }
    Ok(())
}

/// Remembers what the server said about these numbers.
pub(crate) fn note(step: &mut Step<'_>, phones: &[String], answer: Answer) -> Result<Result<(), Failure>, Stop> {
    let found = match http::read::<Found>(answer) {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    for phone in phones {
        match found.matches.iter().find(|known| known.phone == *phone) {
            Some(known) => contact::set_phone(step.tx, known.account, phone)?,
            None => drop(
                step.tx
                    .prepare_cached("INSERT OR REPLACE INTO nobody (phone, asked_ms) VALUES (?1, ?2)")?
                    .execute(params![phone, step.now_ms])?,
            ),
        }
    }
    if !found.matches.is_empty() {
        step.event(Event::ContactsChanged);
    }
    Ok(Ok(()))
}

/// The next batch: numbers of which it is not known whether anybody is here.
pub(crate) fn unknown(step: &Step<'_>) -> Result<Vec<String>, Stop> {
    let asked_before = step.now_ms.saturating_sub(NOBODY_KEPT_MS);
    Ok(step
        .tx
        .prepare_cached(
            "SELECT b.phone FROM address_book b
             WHERE b.name IS NOT NULL AND b.phone <> ?1
             AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.phone = b.phone)
             AND NOT EXISTS (SELECT 1 FROM nobody n WHERE n.phone = b.phone AND n.asked_ms > ?2)
             ORDER BY b.phone LIMIT ?3",
        )?
        .query_map(params![step.me()?.phone, asked_before, LOOKUP_PHONES_MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}
