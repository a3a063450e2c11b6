//! Register, log in, log out. A device that is linked (link/) begins here too.
//!
//! A login makes a new device: the server gives its id, and this device makes the account's identity key, its own
//! signature key, and the credential that ties them. From the answer on everything is in the database; the credential
//! and the key packages are uploaded as durable jobs (keys.rs), and `Reply::LoggedIn` comes when they are there.

use crate::contact;
use crate::device;
use crate::error::ClientError;
use crate::event::Event;
use crate::http::{self, Answer, token};
use crate::io::{CallId, Output};
use crate::job;
use crate::keys;
use crate::link;
use crate::memory::{Line, Me, Memory, Purpose};
use crate::mls::{Identity, Mls};
use crate::reply::Reply;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use rusqlite::Connection;
use tidings_proto::http::{Login, Register, Registered, Tokens};
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;
use zeroize::Zeroizing;

pub(crate) fn register(step: &mut Step<'_>, reply: CallId, phone: &str) -> Done {
    let phone = contact::normalize_phone(phone)?;
    http::ask_unsigned(step, Purpose::Register { reply }, "/v1/register", http::json(&Register { phone }))
}

pub(crate) fn registered(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<Registered>(answer) {
        Ok(Registered { expires_in_s, retry_after_s }) => Ok(Reply::CodeSent { expires_in_s, retry_after_s }),
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}

/// What a person gives to sign in.
pub(crate) struct Given {
    pub phone: String,
    pub code: String,
    pub device_name: String,
    pub pin: Option<String>,
    pub forgot_pin: bool,
}

impl Given {
    /// The body of `POST /v1/login`, with the number as the server writes it.
    pub fn login(self, step: &Step<'_>) -> Result<Login, Stop> {
        if step.mem.me.is_some() {
            return Err(ClientError::AlreadyLoggedIn.into());
        }
        let Self { phone, code, device_name, pin, forgot_pin } = self;
        if device_name.len() > DEVICE_NAME_MAX_BYTES {
            return Err(ClientError::TooLong { bytes: device_name.len(), max: DEVICE_NAME_MAX_BYTES }.into());
        }
        Ok(Login { phone: contact::normalize_phone(&phone)?, code, device_name, pin, forgot_pin })
    }
}

pub(crate) fn login(step: &mut Step<'_>, reply: CallId, given: Given) -> Done {
    let login = given.login(step)?;
    let phone = login.phone.clone();
    http::ask_unsigned(step, Purpose::Login { reply, phone }, "/v1/login", http::json(&login))
}

pub(crate) fn login_answered(step: &mut Step<'_>, reply: CallId, phone: &str, answer: Answer) -> Done {
    let tokens = match http::read::<Tokens>(answer) {
        Ok(tokens) if step.mem.me.is_none() => tokens,
        Ok(_) => {
            step.reply(reply, Err(ClientError::AlreadyLoggedIn));
            return Ok(());
        }
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    sign_in(step, &tokens, phone, None)?;
    step.mem.login = Some(reply);
    Ok(())
}

/// From here on this is a device of the account. `identity`: the account's identity key, if it has one already that this
/// device was given (link, or a backup); without one, the account begins anew.
pub(crate) fn sign_in(
    step: &mut Step<'_>,
    tokens: &Tokens,
    phone: &str,
    identity: Option<Zeroizing<[u8; 32]>>,
) -> Done {
    token::store(step, tokens)?;
    setting::put(step.tx, Setting::Phone, phone)?;
    contact::set_phone(step.tx, tokens.account, phone)?;
    let now_s = step.now_s();
    let identity = Identity::create(step.tx, step.rng, identity, tokens.account, tokens.device, now_s)?;
    step.mem.me = Some(me(identity, phone.to_owned(), step.rng));
    job::add(step.tx, job::Kind::Credential, &[], None)?;
    keys::make(step, keys::STOCK, true)
}

/// Who this device is, from the database.
pub(crate) fn load(tx: &Connection, rng: &mut ChaCha20Rng) -> Result<Option<Me>, Stop> {
    let Some(identity) = Identity::load(tx)? else { return Ok(None) };
    let phone = setting::get(tx, Setting::Phone)?.unwrap_or_default();
    let me = me(identity, phone, rng);
    device::load_revoked(tx, &me.mls)?;
    Ok(Some(me))
}

fn me(identity: Identity, phone: String, rng: &mut ChaCha20Rng) -> Me {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Me { sender: identity.sender(), phone, mls: Mls::new(identity, seed) }
}

/// The server is told first: a device that is wiped cannot log itself out any more.
pub(crate) fn logout(step: &mut Step<'_>, reply: CallId) -> Done {
    step.me()?;
    let Some(token) = setting::get::<String>(step.tx, Setting::RefreshToken)? else {
        return revoked(step, reply, Ok(Vec::new()));
    };
    let body = http::form(&[("token", &token)]);
    http::ask_unsigned(step, Purpose::Revoke { reply }, "/v1/oauth/revoke", body)
}

pub(crate) fn revoked(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    match answer {
        Ok(_) => {
            wipe(step, "logged out here")?;
            step.reply(reply, Ok(Reply::Done));
        }
        Err(failure) => step.reply(reply, Err(failure.to_client_error())),
    }
    Ok(())
}

/// Forgets everything: this device is out.
pub(crate) fn wipe(step: &mut Step<'_>, why: &str) -> Done {
    let tables: Vec<String> = step
        .tx
        .prepare(
            // The shadow tables of the full-text index are its own business.
            "SELECT name FROM pragma_table_list
             WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite_%'",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in tables {
        step.tx.execute(&format!("DELETE FROM \"{table}\""), [])?;
    }
    if let Some(reply) = step.mem.own.take_deleted() {
        step.reply(reply, Ok(Reply::Done));
    }
    let connected = !matches!(step.mem.session.line, Line::Off | Line::Token | Line::Waiting { .. });
    let former = std::mem::take(step.mem);
    step.mem.requests.next = former.requests.next;
    for id in owed_replies(&former) {
        step.reply(id, Err(ClientError::NotLoggedIn));
    }
    if connected {
        step.out.push(Output::Disconnect);
    }
    step.event(Event::LoggedOut { reason: why.to_owned() });
    Ok(())
}

/// Commands that wait for an answer.
pub(crate) fn owed_replies(memory: &Memory) -> Vec<CallId> {
    let calls = memory.requests.open.values().chain(&memory.requests.parked);
    let asked = calls.filter_map(|call| match call.purpose {
        Purpose::Register { reply }
        | Purpose::Login { reply, .. }
        | Purpose::Revoke { reply }
        | Purpose::OpenLink { reply, .. }
        | Purpose::ApproveLink { reply, .. }
        | Purpose::Devices { reply }
        | Purpose::RenameDevice { reply }
        | Purpose::RevokeDevice { reply, .. }
        | Purpose::SetBlock { reply, .. }
        | Purpose::InvitePreview { reply, .. }
        | Purpose::AskToJoin { reply }
        | Purpose::JoinRequests { reply }
        | Purpose::RefuseRequest { reply }
        | Purpose::Privacy { reply, .. }
        | Purpose::SetPrivacy { reply, .. }
        | Purpose::Presence { reply }
        | Purpose::FindContacts { reply, .. }
        | Purpose::Watermarks { reply, .. } => Some(reply),
        Purpose::Backup(ref ask) => ask.reply(),
        Purpose::Own(ref ask) => ask.reply(),
        _ => None,
    });
    let of_groups = memory.groups.replies.values().chain(memory.groups.joining.values().flatten()).copied();
    asked
        .chain(memory.backup.owed())
        .chain(memory.own.owed())
        .chain(memory.login)
        .chain(link::wait::owed(memory))
        .chain(of_groups)
        .chain(memory.waiting.iter().map(|(id, _)| *id))
        .collect()
}
