//! Who one's contacts are, for the server: only while something is for contacts only that the server has to see to (last
//! seen, who finds one, who adds one to groups), and then the accounts of the address book without those who are blocked.
//!
//! A durable job. Each run begins with what the server has, since another device may have changed it; then it uploads the
//! list where that is needed, takes it back where it is not, and asks about numbers of the book whose account is not known yet.

use super::find;
use crate::http::{self, Answer};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tidings_proto::http::{Audience, Lookup, Privacy, PutContacts};
use tidings_proto::id::AccountId;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Privacy,
    /// `hash`: of what was uploaded; `None`: the list was taken back.
    Put {
        hash: Option<[u8; 32]>,
    },
    LookUp {
        phones: Vec<String>,
    },
}

/// Something of it may have changed on any device.
pub(crate) fn want(step: &Step<'_>) -> Done {
    job::add(step.tx, Kind::Contacts, &[], None)
}

/// This device set it. What any of one's devices uploaded is taken back if it is of no use any more.
pub(crate) fn set(step: &Step<'_>, privacy: &Privacy) -> Done {
    if !needs(privacy) {
        setting::put(step.tx, Setting::ContactsUploaded, [0; 32])?;
    }
    want(step)
}

/// The book changed, or who of it is here or blocked.
pub(crate) fn changed(tx: &Connection) -> Done {
    match setting::get::<bool>(tx, Setting::ContactsShared)? {
        Some(true) => job::add(tx, Kind::Contacts, &[], None),
        _ => Ok(()),
    }
}

/// Whether the server has to know.
fn needs(privacy: &Privacy) -> bool {
    [privacy.last_seen, privacy.find_me, privacy.add_me].contains(&Audience::Contacts)
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>) -> Done {
    let busy = step.mem.requests.is_open(|purpose| matches!(purpose, Purpose::ShareContacts(_)));
    // Before its credential is there a device is nobody.
    if busy || job::exists(step.tx, Kind::Credential, &[])? {
        return Ok(());
    }
    http::ask(step, Purpose::ShareContacts(Ask::Privacy), Method::Get, "/v1/me/privacy", HttpBody::Empty)
}

pub(crate) fn answered(step: &mut Step<'_>, ask: Ask, answer: Answer) -> Done {
    match ask {
        Ask::Privacy => match http::read::<Privacy>(answer) {
            Ok(privacy) => {
                setting::put(step.tx, Setting::ContactsShared, needs(&privacy))?;
                upload(step, needs(&privacy))
            }
            Err(failure) => job::later(step, Kind::Contacts, &[], failure.retry_after_ms()),
        },
        Ask::Put { hash } => match answer {
            Ok(_) => {
                match hash {
                    Some(hash) => setting::put(step.tx, Setting::ContactsUploaded, hash)?,
                    None => setting::forget(step.tx, Setting::ContactsUploaded)?,
                }
                look_up(step, hash.is_some())
            }
            Err(failure) => job::later(step, Kind::Contacts, &[], failure.retry_after_ms()),
        },
        Ask::LookUp { phones } => match find::note(step, &phones, answer)? {
            Ok(()) => run(step),
            Err(failure) => job::later(step, Kind::Contacts, &[], failure.retry_after_ms()),
        },
    }
}

fn upload(step: &mut Step<'_>, needed: bool) -> Done {
    let uploaded: Option<[u8; 32]> = setting::get(step.tx, Setting::ContactsUploaded)?;
    let accounts = if needed { accounts(step)? } else { Vec::new() };
    let hash = needed.then(|| {
        let mut hash = Sha256::new();
        accounts.iter().for_each(|account| hash.update(account.as_bytes()));
        <[u8; 32]>::from(hash.finalize())
    });
    if hash == uploaded {
        return look_up(step, needed);
    }
    let purpose = Purpose::ShareContacts(Ask::Put { hash });
    http::ask(step, purpose, Method::Put, "/v1/me/contacts", http::json(&PutContacts { accounts }))
}

fn look_up(step: &mut Step<'_>, needed: bool) -> Done {
    let phones = if needed { find::unknown(step)? } else { Vec::new() };
    if phones.is_empty() {
        return job::done(step.tx, Kind::Contacts, &[]);
    }
    let body = http::json(&Lookup { phones: phones.clone() });
    http::ask(step, Purpose::ShareContacts(Ask::LookUp { phones }), Method::Post, "/v1/contacts/lookup", body)
}

fn accounts(step: &Step<'_>) -> Result<Vec<AccountId>, Stop> {
    let own = step.me()?.sender.account;
    let mut accounts = super::accounts(step.tx)?;
    accounts.retain(|account| *account != own);
    accounts.sort_unstable();
    Ok(accounts)
}
