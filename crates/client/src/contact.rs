//! People: numbers, names, identity keys.
//!
//! * A number is looked up at the server once, and kept. A number that somebody claims in their profile is shown only
//!   when the server confirms that it is theirs.
//! * The first identity key that is seen of an account is pinned (trust on first use). When another one shows up, the
//!   person is told in the conversation, a former comparison of safety numbers is void, and the new key is pinned.

use crate::address_book;
use crate::command::{Command, Peer};
use crate::conversation;
use crate::error::ClientError;
use crate::event::Event;
use crate::group;
use crate::http::{self, Answer, Failure};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
use crate::message;
use crate::mls::safety::safety_number;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::credential::Credential;
use tidings_proto::entry::ConversationKind;
use tidings_proto::http::{AccountDevices, Found, Lookup};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::limit::LOOKUP_PHONES_MAX;
use tidings_proto::problem::Code;

/// Commands that wait for an answer at the same time.
const WAITING_MAX: usize = 256;
/// Digits of an E.164 number.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub phone: Option<String>,
    pub name: Option<String>,
    pub identity_key: Option<[u8; 32]>,
    pub verified: bool,
    pub blocked: bool,
    pub about: Option<String>,
}

pub(crate) fn find(tx: &Connection, account: AccountId) -> rusqlite::Result<Option<Contact>> {
    tx.prepare_cached("SELECT phone, name, identity_key, verified, blocked, about FROM contact WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| {
            Ok(Contact {
                phone: row.get(0)?,
                name: row.get(1)?,
                identity_key: row.get(2)?,
                verified: row.get(3)?,
                blocked: row.get(4)?,
                about: row.get(5)?,
            })
        })
        .optional()
}

pub(crate) fn ensure(tx: &Connection, account: AccountId) -> Done {
    tx.prepare_cached("INSERT OR IGNORE INTO contact (account) VALUES (?1)")?.execute([account.as_bytes()])?;
    Ok(())
}

pub(crate) fn with_phone(tx: &Connection, phone: &str) -> rusqlite::Result<Option<AccountId>> {
    tx.prepare_cached("SELECT account FROM contact WHERE phone = ?1")?
        .query_row([phone], |row| Ok(AccountId::from_bytes(row.get(0)?)))
        .optional()
}

/// A number has one account, and an account one number.
pub(crate) fn set_phone(tx: &Connection, account: AccountId, phone: &str) -> Done {
    ensure(tx, account)?;
    tx.prepare_cached("UPDATE contact SET phone = NULL WHERE phone = ?1 AND account <> ?2")?
        .execute(params![phone, account.as_bytes()])?;
    tx.prepare_cached("UPDATE contact SET phone = ?2, claimed_phone = NULL WHERE account = ?1")?
        .execute(params![account.as_bytes(), phone])?;
    if address_book::name_of_phone(tx, phone)?.is_some() { address_book::share::changed(tx) } else { Ok(()) }
}

/// Whom a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    Person {
        account: AccountId,
        conversation: ConversationId,
    },
    /// A group.
    Group {
        conversation: ConversationId,
    },
    SelfChat {
        conversation: ConversationId,
    },
    /// Ask the server first: [`wait_for_lookup`].
    Lookup {
        phone: String,
    },
}

pub(crate) fn resolve(step: &Step<'_>, peer: &Peer) -> Result<Resolved, Stop> {
    let me = step.me()?.sender.account;
    let account = match peer {
        Peer::Account(account) => *account,
        Peer::Conversation(conversation) => {
            let row = conversation::find(step.tx, *conversation)?.ok_or(ClientError::NoSuchConversation)?;
            match row.kind {
                ConversationKind::Direct => row.account.ok_or(ClientError::NoSuchConversation)?,
                ConversationKind::Group => return Ok(Resolved::Group { conversation: *conversation }),
                ConversationKind::SelfChat => return Ok(Resolved::SelfChat { conversation: *conversation }),
            }
        }
        Peer::Me => return Ok(Resolved::SelfChat { conversation: ConversationId::self_chat(me) }),
        Peer::Phone(phone) => {
            let phone = normalize_phone(phone)?;
            if phone == step.me()?.phone {
                me
            } else {
                match with_phone(step.tx, &phone)? {
                    Some(account) => account,
                    None => return Ok(Resolved::Lookup { phone }),
                }
            }
        }
    };
    if account == me {
        return Err(ClientError::NotAllowed { why: "that is your own number".into() }.into());
    }
    Ok(Resolved::Person { account, conversation: ConversationId::direct(me, account) })
}

/// E.164 without the blanks, dots and brackets that people put into numbers.
pub(crate) fn normalize_phone(phone: &str) -> Result<String, ClientError> {
    let plain: String = phone.chars().filter(|char| !matches!(char, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = plain.strip_prefix('+').unwrap_or_default();
    if PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(plain);
    }
    Err(ClientError::Refused {
        code: Code::InvalidPhone,
        detail: "a phone number is written in full, like +31612345678".into(),
        retry_after_ms: None,
    })
}

/// The command runs again when the server has answered what it waits for.
pub(crate) fn wait(step: &mut Step<'_>, id: CallId, command: Command) -> Done {
    if step.mem.waiting.len() >= WAITING_MAX {
        return Err(ClientError::Refused {
            code: Code::Overloaded,
            detail: "too many commands wait for the server".into(),
            retry_after_ms: None,
        }
        .into());
    }
    step.mem.waiting.push((id, command));
    Ok(())
}

/// The command runs again once the number is known.
pub(crate) fn wait_for_lookup(step: &mut Step<'_>, id: CallId, command: Command, phone: String) -> Done {
    wait(step, id, command)?;
    let purpose = Purpose::Lookup { phone: phone.clone() };
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    let body = http::json(&Lookup { phones: vec![phone] });
    http::ask(step, purpose, Method::Post, "/v1/contacts/lookup", body)
}

/// The same for a command that names several people.
pub(crate) fn wait_for_lookups(step: &mut Step<'_>, id: CallId, command: Command, phones: Vec<String>) -> Done {
    wait(step, id, command)?;
    let asked =
        |purpose: &Purpose, phone: &String| matches!(purpose, Purpose::Lookups { phones } if phones.contains(phone));
    let new: Vec<String> =
        phones.into_iter().filter(|phone| !step.mem.requests.is_open(|purpose| asked(purpose, phone))).collect();
    for phones in new.chunks(LOOKUP_PHONES_MAX) {
        let phones = phones.to_vec();
        let body = http::json(&Lookup { phones: phones.clone() });
        http::ask(step, Purpose::Lookups { phones }, Method::Post, "/v1/contacts/lookup", body)?;
    }
    Ok(())
}

/// What is to be run again now: it may find that others are still looked up.
pub(crate) fn looked_up_many(
    step: &mut Step<'_>,
    phones: &[String],
    answer: Answer,
) -> Result<Vec<(CallId, Command)>, Stop> {
    let names = |command: &Command, phones: &[String]| {
        let named = |peer: &Peer| matches!(peer, Peer::Phone(other) if normalize_phone(other).is_ok_and(|other| phones.contains(&other)));
        group::command::people(command).iter().any(named)
    };
    let ready = take_waiting(step, |command| names(command, phones));
    let found = match http::read::<Found>(answer) {
        Ok(found) => found,
        Err(failure) => {
            refuse(step, ready, &failure.to_client_error());
            return Ok(Vec::new());
        }
    };
    for known in found.matches.iter().filter(|known| phones.contains(&known.phone)) {
        set_phone(step.tx, known.account, &known.phone)?;
    }
    let mut again = ready;
    for phone in phones.iter().filter(|phone| !found.matches.iter().any(|known| known.phone == **phone)) {
        let (hopeless, rest) = again.into_iter().partition(|(_, command)| names(command, std::slice::from_ref(phone)));
        again = rest;
        for (id, command) in hopeless {
            match group::command::without(step, id, command, phone) {
                Ok(others) => again.push((id, others)),
                Err(error) => step.reply(id, Err(error)),
            }
        }
    }
    Ok(again)
}

/// What is to be run again now.
pub(crate) fn looked_up(step: &mut Step<'_>, phone: &str, answer: Answer) -> Result<Vec<(CallId, Command)>, Stop> {
    let about = |command: &Command| {
        peer(command).is_some_and(
            |peer| matches!(peer, Peer::Phone(other) if normalize_phone(other).is_ok_and(|other| other == phone)),
        )
    };
    let ready = take_waiting(step, about);
    let error = match http::read::<Found>(answer) {
        Ok(found) => match found.matches.iter().find(|found| found.phone == phone) {
            Some(found) => {
                set_phone(step.tx, found.account, phone)?;
                return Ok(ready);
            }
            None => ClientError::NoSuchPerson { phone: phone.to_owned() },
        },
        Err(failure) => failure.to_client_error(),
    };
    refuse(step, ready, &error);
    Ok(Vec::new())
}

pub(crate) fn take_waiting(step: &mut Step<'_>, about: impl Fn(&Command) -> bool) -> Vec<(CallId, Command)> {
    let (ready, rest) = std::mem::take(&mut step.mem.waiting).into_iter().partition(|(_, command)| about(command));
    step.mem.waiting = rest;
    ready
}

fn refuse(step: &mut Step<'_>, commands: Vec<(CallId, Command)>, error: &ClientError) {
    for (id, _) in commands {
        step.reply(id, Err(error.clone()));
    }
}

/// Whom a command names, if anybody.
pub(crate) fn peer(command: &Command) -> Option<&Peer> {
    match command {
        Command::Send { to, .. }
        | Command::React { to, .. }
        | Command::Edit { to, .. }
        | Command::Delete { to, .. }
        | Command::Forward { to, .. }
        | Command::CreatePoll { to, .. }
        | Command::SendLocation { to, .. }
        | Command::SendContact { to, .. }
        | Command::MarkRead { to, .. }
        | Command::Typing { to, .. } => Some(to),
        Command::Block { who }
        | Command::Unblock { who }
        | Command::SafetyNumber { who }
        | Command::MarkVerified { who }
        | Command::Presence { who }
        | Command::Report { who, .. }
        | Command::Resolve { who } => Some(who),
        Command::Messages { of, .. }
        | Command::OpenChat { of: Some(of) }
        | Command::CloseChat { of: Some(of) }
        | Command::MessagesAfter { of, .. }
        | Command::Search { of: Some(of), .. }
        | Command::Starred { of: Some(of) }
        | Command::Pinned { of }
        | Command::Mute { of, .. }
        | Command::Archive { of, .. }
        | Command::PinConversation { of, .. }
        | Command::MarkUnread { of }
        | Command::SetDraft { of, .. }
        | Command::Picture { of }
        | Command::SetTimer { of, .. } => Some(of),
        Command::SetGroupProfile { group, .. } => Some(group),
        _ => None,
    }
}

/// Somebody says that this number is theirs.
pub(crate) fn claimed(step: &mut Step<'_>, account: AccountId, phone: Option<&str>) -> Done {
    let known = find(step.tx, account)?.and_then(|contact| contact.phone);
    match phone.and_then(|phone| normalize_phone(phone).ok()) {
        Some(phone) if known.as_deref() != Some(&phone) => {
            step.tx
                .prepare_cached("UPDATE contact SET claimed_phone = ?2 WHERE account = ?1")?
                .execute(params![account.as_bytes(), phone])?;
            confirm_phones(step)
        }
        _ => Ok(()),
    }
}

/// Asks the server about claimed numbers, one at a time.
pub(crate) fn confirm_phones(step: &mut Step<'_>) -> Done {
    if step.mem.requests.is_open(|purpose| matches!(purpose, Purpose::ConfirmPhone { .. })) {
        return Ok(());
    }
    let claim: Option<(AccountId, String)> = step
        .tx
        .prepare_cached("SELECT account, claimed_phone FROM contact WHERE claimed_phone IS NOT NULL LIMIT 1")?
        .query_row([], |row| Ok((AccountId::from_bytes(row.get(0)?), row.get(1)?)))
        .optional()?;
    let Some((account, phone)) = claim else { return Ok(()) };
    let body = http::json(&Lookup { phones: vec![phone.clone()] });
    http::ask(step, Purpose::ConfirmPhone { account, phone }, Method::Post, "/v1/contacts/lookup", body)
}

pub(crate) fn phone_confirmed(step: &mut Step<'_>, account: AccountId, phone: &str, answer: Answer) -> Done {
    let Ok(found) = http::read::<Found>(answer) else {
        // The claim stays, and is asked about on the next connection.
        return Ok(());
    };
    if found.matches.iter().any(|found| found.phone == phone && found.account == account) {
        set_phone(step.tx, account, phone)?;
        let conversation = ConversationId::direct(step.me()?.sender.account, account);
        step.event(Event::ConversationChanged { conversation });
    } else {
        step.tx
            .prepare_cached("UPDATE contact SET claimed_phone = NULL WHERE account = ?1 AND claimed_phone = ?2")?
            .execute(params![account.as_bytes(), phone])?;
    }
    confirm_phones(step)
}

/// A credential that was checked: pins its identity key, or tells that it is another one, wherever one meets this person.
/// `at`: seq and time of the entry that brought it, for the notice's place in the conversation.
pub(crate) fn saw_identity(
    step: &mut Step<'_>,
    conversation: ConversationId,
    credential: &Credential,
    at: Option<(u64, u64)>,
) -> Done {
    let account = credential.account;
    if account == step.me()?.sender.account {
        return Ok(());
    }
    ensure(step.tx, account)?;
    let pinned = find(step.tx, account)?.and_then(|contact| contact.identity_key);
    if pinned == Some(credential.identity_key) {
        return Ok(());
    }
    step.tx
        .prepare_cached("UPDATE contact SET identity_key = ?2, verified = 0 WHERE account = ?1")?
        .execute(params![account.as_bytes(), credential.identity_key])?;
    if pinned.is_none() {
        return Ok(());
    }
    let direct = ConversationId::direct(step.me()?.sender.account, account);
    let mut shared = group::member::groups_with(step.tx, account)?;
    shared.extend([conversation, direct]);
    let notice = Notice::SafetyNumberChanged { who: Person::nameless(account) };
    for shared in shared {
        let Some(row) = conversation::find(step.tx, shared)? else { continue };
        let (seq, time_ms) = at.filter(|_| shared == conversation).unwrap_or((row.cursor, step.now_ms));
        message::notice(step, shared, account, seq, time_ms, &notice)?;
        step.event(Event::ConversationChanged { conversation: shared });
    }
    Ok(())
}

/// `None`: the key is not known here; ask the server first ([`wait_for_identity`]).
pub(crate) fn safety(step: &Step<'_>, account: AccountId) -> Result<Option<Reply>, Stop> {
    let Some(contact) = find(step.tx, account)? else { return Ok(None) };
    let Some(key) = contact.identity_key else { return Ok(None) };
    let own = &step.mls()?.identity().credential;
    let digits = safety_number((own.account, &own.identity_key), (account, &key));
    Ok(Some(Reply::SafetyNumber { digits, verified: contact.verified }))
}

pub(crate) fn wait_for_identity(step: &mut Step<'_>, id: CallId, command: Command, account: AccountId) -> Done {
    wait(step, id, command)?;
    let purpose = Purpose::Identity { account };
    if step.mem.requests.is_open(|open| *open == purpose) {
        return Ok(());
    }
    http::ask(step, purpose, Method::Get, format!("/v1/accounts/{account}/devices"), HttpBody::Empty)
}

/// What is to be run again now.
pub(crate) fn identity_answered(
    step: &mut Step<'_>,
    account: AccountId,
    answer: Answer,
) -> Result<Vec<(CallId, Command)>, Stop> {
    let waits = |command: &Command| matches!(command, Command::SafetyNumber { .. } | Command::MarkVerified { .. });
    let about = step
        .mem
        .waiting
        .iter()
        .filter(|(_, command)| waits(command))
        .filter(|(_, command)| {
            let person = peer(command).and_then(|peer| resolve(step, peer).ok());
            matches!(person, Some(Resolved::Person { account: other, .. }) if other == account)
        })
        .map(|(id, _)| *id)
        .collect::<Vec<_>>();
    let (ready, rest) = std::mem::take(&mut step.mem.waiting).into_iter().partition(|(id, _)| about.contains(id));
    step.mem.waiting = rest;
    let error = match http::read::<AccountDevices>(answer) {
        Ok(devices) => {
            let mut credentials = devices.devices.iter().filter_map(|device| {
                let credential = Credential::verify(device.credential.as_slice()).ok()?;
                (credential.account == account && credential.device == device.device).then_some(credential)
            });
            match credentials.next() {
                Some(credential) => {
                    let conversation = ConversationId::direct(step.me()?.sender.account, account);
                    saw_identity(step, conversation, &credential, None)?;
                    return Ok(ready);
                }
                None => Failure::new(Code::NoDevice, "this person has no device with keys").to_client_error(),
            }
        }
        Err(failure) => failure.to_client_error(),
    };
    refuse(step, ready, &error);
    Ok(Vec::new())
}

/// The person compared the numbers of exactly the key that is pinned now.
pub(crate) fn mark_verified(step: &mut Step<'_>, account: AccountId, conversation: ConversationId) -> Done {
    step.tx
        .prepare_cached("UPDATE contact SET verified = 1 WHERE account = ?1 AND identity_key IS NOT NULL")?
        .execute([account.as_bytes()])?;
    step.event(Event::ConversationChanged { conversation });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them_but_only_in_full() {
        assert_eq!(normalize_phone("+31 (6) 12-34.56 78"), Ok("+31612345678".into()));
        for wrong in ["0612345678", "+31", "+316123456789012345", "+31x12345678", ""] {
            assert!(normalize_phone(wrong).is_err(), "{wrong}");
        }
    }
}
