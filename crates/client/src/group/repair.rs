//! After a commit that only members can see to be bad: its membership tag or its path secrets are wrong, and the server,
//! who can check neither, took it.
//!
//! Nobody but its author can follow it. The public state holds, so each device can come back by external commit
//! (rejoin.rs); but what is said before it does, it could never read, and it may be away for days. So who is back first
//! lets the others in again, all in one commit with their key packages (`Intent::Readd`): they come in by welcome, as
//! newcomers do. Until then nobody who noticed says anything; it waits in the outbox. Members, roles, name and
//! history stay what they were.
//!
//! `astray` has the devices that are not back yet, by what the log declares.

use super::intent::{self, Intent};
use super::{claim, work};
use crate::device;
use crate::job::{self, Kind};
use crate::mls::MlsError;
use crate::step::{Done, Step, Stop};
use rusqlite::Connection;
use std::collections::BTreeSet;
use tidings_proto::entry::{Change, Sender};
use tidings_proto::id::{AccountId, ConversationId, DeviceId};

/// This device found a commit bad that `author` made. Called while its group is still the one from before.
pub(crate) fn found(step: &Step<'_>, conversation: ConversationId, author: Sender) -> Done {
    let own = step.me()?.sender;
    let devices = match step.mls()?.devices(step.tx, conversation) {
        Ok(devices) => devices,
        Err(error @ MlsError::Database(_)) => return Err(error.into()),
        Err(_) => return Ok(()),
    };
    let gone = device::gone_from(step.tx, conversation)?;
    for device in devices.iter().filter(|device| **device != own && **device != author && !gone.contains(device)) {
        step.tx
            .prepare_cached("INSERT OR IGNORE INTO astray (conversation, account, device) VALUES (?1, ?2, ?3)")?
            .execute([conversation.as_bytes(), device.account.as_bytes(), device.device.as_bytes()])?;
    }
    Ok(())
}

/// The devices that are not back yet.
pub(crate) fn astray(tx: &Connection, conversation: ConversationId) -> Result<BTreeSet<Sender>, Stop> {
    Ok(tx
        .prepare_cached("SELECT account, device FROM astray WHERE conversation = ?1")?
        .query_map([conversation.as_bytes()], |row| {
            Ok(Sender { account: AccountId::from_bytes(row.get(0)?), device: DeviceId::from_bytes(row.get(1)?) })
        })?
        .collect::<Result<_, _>>()?)
}

/// Whether what is to be said waits for others.
pub(crate) fn is_due(tx: &Connection, conversation: ConversationId) -> Result<bool, Stop> {
    Ok(tx.prepare_cached("SELECT 1 FROM astray WHERE conversation = ?1")?.exists([conversation.as_bytes()])?)
}

/// A commit in the log lets devices in, or takes them out.
pub(crate) fn seen(tx: &Connection, conversation: ConversationId, change: &Change) -> Done {
    if !is_due(tx, conversation)? {
        return Ok(());
    }
    for device in change.added.iter().chain(&change.removed) {
        tx.prepare_cached("DELETE FROM astray WHERE conversation = ?1 AND account = ?2 AND device = ?3")?.execute([
            conversation.as_bytes(),
            device.account.as_bytes(),
            device.device.as_bytes(),
        ])?;
    }
    Ok(())
}

/// This device is back by its own commit: it lets the others in.
pub(crate) fn returned(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let is_wanted = matches!(intent::first(step.tx, conversation)?, Some(row) if row.intent == Intent::Readd);
    if is_wanted || !is_due(step.tx, conversation)? {
        return Ok(());
    }
    tracing::info!(%conversation, "members that could not follow a bad commit are let in again");
    intent::add_first(step.tx, conversation, &Intent::Readd)?;
    job::add(step.tx, Kind::Group, conversation.as_bytes(), None)
}

/// The others are in, or come back by themselves: they are not waited for any more.
pub(crate) fn over(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    step.tx.prepare_cached("DELETE FROM astray WHERE conversation = ?1")?.execute([conversation.as_bytes()])?;
    intent::drop_readd(step.tx, conversation)?;
    step.mem.groups.claims.remove(&conversation);
    work::want(step, conversation)
}

/// Of those astray that still have a leaf, the key packages; `None`: they are on their way.
pub(super) fn packages(
    step: &mut Step<'_>,
    conversation: ConversationId,
    intent: i64,
) -> Result<Option<Vec<claim::Package>>, Stop> {
    let astray = astray(step.tx, conversation)?;
    let devices = step.mls()?.devices(step.tx, conversation)?;
    let wanted: BTreeSet<Sender> = devices.into_iter().filter(|device| astray.contains(device)).collect();
    let accounts = wanted.iter().map(|device| device.account).collect();
    let packages = claim::ready(step, conversation, intent, &accounts)?;
    Ok(packages.map(|packages| packages.into_iter().filter(|(device, _)| wanted.contains(device)).collect()))
}
