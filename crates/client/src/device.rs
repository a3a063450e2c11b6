//! Devices: which of one's own there are, what they are called, how one is thrown out; and in every conversation, which of
//! anybody's were logged out and have to be taken out of the MLS group before anything else is said.
//!
//! The log says that a device is gone; whoever has something to send then takes its leaf out first, and one's own other
//! devices do so at once. With a proof by the account's identity key it is out for good: where the log told of it, or it was
//! taken out since, no commit that brings it in again is taken, whatever a server says. In a log that is read later, what
//! let it in may stand before that; there it is taken out before anything is said.

use crate::conversation::{self, Standing};
use crate::error::ClientError;
use crate::event::Event;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::mls::identity::sender;
use crate::mls::{Identity, Mls, MlsError};
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view;
use ed25519_dalek::SigningKey;
use rand_chacha::rand_core::RngCore;
use rusqlite::{Connection, params};
use tidings_proto::credential::{Credential, is_revocation, revocation};
use tidings_proto::entry::{Entry, Sender};
use tidings_proto::http::{Devices, RenameDevice, RevokeDevice};
use tidings_proto::id::{AccountId, ConversationId, DeviceId};
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;
use tidings_proto::payload::Payload;

/// How long other people's devices leave it to a device's own account to take it out, if they have nothing to send.
const OTHERS_WAIT_MS: u64 = 5_000;

pub(crate) fn list(step: &mut Step<'_>, reply: CallId) -> Done {
    step.me()?;
    http::ask(step, Purpose::Devices { reply }, Method::Get, "/v1/devices", HttpBody::Empty)
}

pub(crate) fn listed(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<Devices>(answer) {
        Ok(listed) => {
            let own = step.me()?.sender.device;
            let devices = listed.devices.into_iter().map(|device| view::Device {
                current: device.device == own,
                device: device.device,
                name: device.name,
                created_ms: device.created_ms,
            });
            Ok(Reply::Devices(devices.collect()))
        }
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}

pub(crate) fn rename(step: &mut Step<'_>, reply: CallId, device: DeviceId, name: String) -> Done {
    step.me()?;
    if name.len() > DEVICE_NAME_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: name.len(), max: DEVICE_NAME_MAX_BYTES }.into());
    }
    let body = http::json(&RenameDevice { name });
    http::ask(step, Purpose::RenameDevice { reply }, Method::Put, format!("/v1/devices/{device}"), body)
}

pub(crate) fn renamed(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = answer.map(|_| Reply::Done).map_err(|failure| failure.to_client_error());
    step.reply(reply, result);
    Ok(())
}

pub(crate) fn revoke(step: &mut Step<'_>, reply: CallId, device: DeviceId) -> Done {
    let own = step.me()?.sender;
    if device == own.device {
        return Err(ClientError::NotAllowed { why: "this is the device itself: log out instead".into() }.into());
    }
    let Some(secret) = Identity::secret(step.tx)? else { return Err(ClientError::NotLoggedIn.into()) };
    let revocation = revocation(&SigningKey::from_bytes(&secret), own.account, device).to_vec();
    let body = http::json(&RevokeDevice { revocation: revocation.into() });
    let purpose = Purpose::RevokeDevice { reply, device };
    http::ask(step, purpose, Method::Post, format!("/v1/devices/{device}/revoke"), body)
}

pub(crate) fn revoked(step: &mut Step<'_>, reply: CallId, device: DeviceId, answer: Answer) -> Done {
    if answer.is_ok() {
        let account = step.me()?.sender.account;
        let device = Sender { account, device };
        throw_out(step, device)?;
        // Also if the logs do not say so.
        for conversation in conversation::all_joined(step.tx)? {
            keep_gone(step.tx, conversation, &[device])?;
            if any_gone(step, conversation)? {
                job::add(step.tx, Kind::Group, conversation.as_bytes(), None)?;
            }
        }
    }
    let result = answer.map(|_| Reply::Done).map_err(|failure| failure.to_client_error());
    step.reply(reply, result);
    Ok(())
}

/// It is out for good, and after the entry at `seq` it does not come back into this conversation.
fn bar(step: &Step<'_>, conversation: ConversationId, device: Sender, seq: u64) -> Done {
    step.mls()?.bar(conversation, device, seq);
    step.tx
        .prepare_cached("INSERT OR IGNORE INTO barred (conversation, account, device, seq) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![conversation.as_bytes(), device.account.as_bytes(), device.device.as_bytes(), seq])?;
    Ok(())
}

/// It is out for good.
fn throw_out(step: &Step<'_>, device: Sender) -> Done {
    step.mls()?.revoke(device);
    step.tx
        .prepare_cached("INSERT OR IGNORE INTO revoked (account, device) VALUES (?1, ?2)")?
        .execute([device.account.as_bytes(), device.device.as_bytes()])?;
    Ok(())
}

/// At the start: those that are out for good.
pub(crate) fn load_revoked(tx: &Connection, mls: &Mls) -> Done {
    let mut rows = tx.prepare_cached("SELECT account, device FROM revoked")?;
    for device in rows.query_map([], read)? {
        mls.revoke(device?);
    }
    let mut rows = tx.prepare_cached("SELECT account, device, conversation, seq FROM barred")?;
    for row in rows.query_map([], |row| Ok((read(row)?, ConversationId::from_bytes(row.get(2)?), row.get(3)?)))? {
        let (device, conversation, seq) = row?;
        mls.bar(conversation, device, seq);
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Sender> {
    Ok(Sender { account: AccountId::from_bytes(row.get(0)?), device: DeviceId::from_bytes(row.get(1)?) })
}

/// The log says that a device was logged out.
pub(crate) fn gone(step: &mut Step<'_>, entry: &Entry, revoked: Option<&Payload>) -> Done {
    let (conversation, device) = (entry.log.as_conversation(), entry.sender);
    let own = step.me()?.sender;
    if device == own {
        return Ok(());
    }
    keep_gone(step.tx, conversation, &[device])?;
    if let Some(signature) = revoked
        && let Some(key) = identity_key(step, conversation, device)?
        && is_revocation(&key, device.account, device.device, signature.as_slice())
    {
        throw_out(step, device)?;
    }
    if step.mls()?.is_revoked(device) {
        bar(step, conversation, device, entry.seq)?;
    }
    take_out(step, conversation, device)
}

/// The server says that these still have leaves although they were logged out.
pub(crate) fn told_gone(step: &mut Step<'_>, conversation: ConversationId, devices: &[Sender]) -> Done {
    keep_gone(step.tx, conversation, devices)?;
    for device in devices {
        take_out(step, conversation, *device)?;
    }
    Ok(())
}

/// A device that is gone and still has a leaf: somebody takes it out in time, if nobody has anything to say before.
fn take_out(step: &mut Step<'_>, conversation: ConversationId, device: Sender) -> Done {
    if !any_gone(step, conversation)? {
        return Ok(());
    }
    let own = step.me()?.sender;
    let wait_ms = if device.account == own.account { 0 } else { OTHERS_WAIT_MS + step.rng.next_u64() % OTHERS_WAIT_MS };
    job::add_at(step.tx, Kind::Group, conversation.as_bytes(), step.now_ms + wait_ms)
}

/// Which key vouches for this device, by the MLS group's own account.
pub(crate) fn identity_key(
    step: &Step<'_>,
    conversation: ConversationId,
    device: Sender,
) -> Result<Option<[u8; 32]>, Stop> {
    match step.mls()?.members(step.tx, conversation) {
        Ok(members) => Ok(members.iter().find(|member| sender(member) == device).map(|member| member.identity_key)),
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

pub(crate) fn keep_gone(tx: &Connection, conversation: ConversationId, devices: &[Sender]) -> Done {
    for device in devices {
        tx.prepare_cached("INSERT OR IGNORE INTO gone (conversation, account, device) VALUES (?1, ?2, ?3)")?
            .execute([conversation.as_bytes(), device.account.as_bytes(), device.device.as_bytes()])?;
    }
    Ok(())
}

/// Devices that were logged out, with or without a leaf.
pub(crate) fn gone_from(tx: &Connection, conversation: ConversationId) -> Result<Vec<Sender>, Stop> {
    Ok(tx
        .prepare_cached("SELECT account, device FROM gone WHERE conversation = ?1")?
        .query_map([conversation.as_bytes()], read)?
        .collect::<Result<_, _>>()?)
}

/// Whether one of them still has a leaf.
pub(crate) fn any_gone(step: &Step<'_>, conversation: ConversationId) -> Result<bool, Stop> {
    let gone = gone_from(step.tx, conversation)?;
    if gone.is_empty() {
        return Ok(false);
    }
    match step.mls()?.devices(step.tx, conversation) {
        Ok(devices) => Ok(gone.iter().any(|gone| devices.contains(gone))),
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// A commit took effect: those without a leaf are forgotten, and those who have one although they are out for good are
/// taken out.
pub(crate) fn settle(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let gone = gone_from(step.tx, conversation)?;
    if gone.is_empty() && !step.mls()?.has_revoked() {
        return Ok(());
    }
    let devices = step.mls()?.devices(step.tx, conversation)?;
    for gone in gone.iter().filter(|gone| !devices.contains(gone)) {
        step.tx
            .prepare_cached("DELETE FROM gone WHERE conversation = ?1 AND device = ?2")?
            .execute([conversation.as_bytes(), gone.device.as_bytes()])?;
    }
    for device in devices {
        if step.mls()?.is_revoked(device) && !gone.contains(&device) {
            keep_gone(step.tx, conversation, &[device])?;
            take_out(step, conversation, device)?;
        }
    }
    Ok(())
}

/// An own commit, the entry at `seq`, took these out.
pub(crate) fn took_out(step: &Step<'_>, conversation: ConversationId, removed: &[Credential], seq: u64) -> Done {
    for device in removed.iter().map(sender) {
        if step.mls()?.is_revoked(device) {
            bar(step, conversation, device, seq)?;
        }
    }
    Ok(())
}

/// One's own devices in the self chat, this one among them; none if there is no self chat.
pub(crate) fn of_self_chat(step: &Step<'_>) -> Result<Vec<DeviceId>, Stop> {
    let own = step.me()?.sender.account;
    match step.mls()?.devices(step.tx, ConversationId::self_chat(own)) {
        Ok(devices) => Ok(devices.iter().filter(|it| it.account == own).map(|it| it.device).collect()),
        Err(error @ MlsError::Database(_)) => Err(error.into()),
        Err(_) => Ok(Vec::new()),
    }
}

/// Whether these devices of one's own are in every conversation that this device is in.
pub(crate) fn are_in_all(step: &Step<'_>, wanted: &[DeviceId]) -> Result<bool, Stop> {
    let account = step.me()?.sender.account;
    let joined: Vec<ConversationId> = step
        .tx
        .prepare_cached(
            "SELECT conversation FROM conversation WHERE joined = 1 AND standing = ?1 AND epoch IS NOT NULL",
        )?
        .query_map([Standing::Member as u8], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    for conversation in joined {
        if conversation::is_blocked(step.tx, conversation)? {
            continue;
        }
        match step.mls()?.devices(step.tx, conversation) {
            Ok(devices) if !wanted.iter().all(|device| devices.contains(&Sender { account, device: *device })) => {
                return Ok(false);
            }
            Err(error @ MlsError::Database(_)) => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(true)
}

/// Devices came into a conversation. In the self chat they are one's own, newly linked.
pub(crate) fn came(step: &mut Step<'_>, conversation: ConversationId, added: &[Credential]) -> Done {
    let own = step.me()?.sender;
    if conversation != ConversationId::self_chat(own.account) {
        return Ok(());
    }
    for new in added.iter().filter(|new| new.device != own.device) {
        step.event(Event::DeviceLinked { device: new.device });
    }
    Ok(())
}
