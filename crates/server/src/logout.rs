//! The end of a device. Its row goes first, and with it every token at once. Then its connection is closed, and every
//! conversation that it has a leaf in is told: from that entry on no message is taken before a commit has taken the leaf
//! out, so nothing that is said later can be read with its keys. The rest is cleaning, which may be cut short: rows of a
//! device that does not exist mean nothing to anybody.
//!
//! `DeviceOwner` goes last: as long as it is there, whoever asks again has the rest done.

use crate::error::{Error, Result};
use crate::hub::Goodbye;
use crate::lane::Reply;
use crate::server::Server;
use std::sync::Arc;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::id::{AccountId, LogId, MessageId};
use tidings_proto::limit::KEY_PACKAGES_MAX;
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;
use tidings_store::log::NewEntry;
use tidings_store::table::Family;
use tidings_store::{Batch, Scan, Store, Table};
use tokio::sync::oneshot;

/// The most that one scan for packages reads; there are never more rows than fit one batch.
const PACKAGES_SCAN: u32 = 2 * KEY_PACKAGES_MAX as u32;
/// Conversations that are told at the same time.
const TOLD_AT_ONCE: usize = 32;
/// How often a conversation's commits may be faster than the telling.
const TRIES_MAX: u32 = 16;

/// Logs a device out: nothing of it works after this returns. `revoked`: the proof that it is out for good.
pub async fn log_out(server: &Arc<Server>, device: Sender, revoked: Option<Payload>) -> Result<()> {
    let batch = Batch::new(Family::Account, device.account.as_bytes()).delete(Table::Device, device.device.as_bytes());
    server.store.commit(batch).await?;
    end(server, device, revoked).await
}

/// What follows once the device's row is gone.
pub async fn end(server: &Arc<Server>, device: Sender, revoked: Option<Payload>) -> Result<()> {
    server.hub.disconnect(device, Goodbye::new(Code::LoggedOut, "This device was logged out."));
    let logs = crate::directory::memberships(&server.store, device.account).await?;
    let why = Why { revoked, deleted: None };
    for some in logs.chunks(TOLD_AT_ONCE) {
        let told = some.iter().map(|log| tell(server, *log, device, &why));
        futures_util::future::join_all(told).await.into_iter().collect::<Result<()>>()?;
    }
    clean(server, device).await
}

/// The proofs that members check.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// The device is out for good.
    pub revoked: Option<Payload>,
    /// Its account was deleted: said where the account is or was, whether the device has a leaf there or not.
    pub deleted: Option<Payload>,
}

/// Why a device does not exist.
pub async fn why(server: &Server, account: AccountId) -> Result<Error> {
    let detail = match crate::directory::account(&server.store, account).await? {
        Some(_) => "This device was logged out.",
        None => "This account was deleted.",
    };
    Ok(Error::new(Code::LoggedOut, detail))
}

/// Tells one conversation, unless the device has no leaf there, or that was told already.
pub async fn tell(server: &Arc<Server>, log: LogId, device: Sender, why: &Why) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let lane = server.lanes.open(server, log).await?;
        let found = lane.roster().filter(|(_, roster)| match &why.deleted {
            Some(_) => roster.reach(device.account).is_some(),
            None => roster.has(device) && !roster.gone.contains(&device),
        });
        let Some((head, _)) = found else {
            server.lanes.forget(lane);
            return Ok(());
        };
        let entry = NewEntry {
            message_id: MessageId::new(server.clock.now_ms(), server.random.bytes()),
            sender: device,
            epoch: head.epoch,
            body: Body::Gone { revoked: why.revoked.clone(), deleted: why.deleted.clone() },
            // Kept for ever, as commits are: the roster follows from both.
            expires_in_ms: None,
        };
        let (answer, answered) = oneshot::channel();
        lane.append_checked(server, entry, Reply::Call(answer))?;
        match answered.await {
            Ok(Ok(_)) => return Ok(()),
            // Somebody else told it.
            Ok(Err(Error { code: Code::Conflict, .. })) => return Ok(()),
            // A commit was faster.
            Ok(Err(Error { code: Code::StaleEpoch, .. })) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(Error::new(Code::Internal, "The server lost track of this request; try again.")),
        }
    }
    Err(Error::new(Code::Overloaded, "A conversation changes too fast; wait.").retry_after_ms(1_000))
}

/// Of a device that is in no conversation: its connection, its keys, its other rows.
pub async fn clean(server: &Server, device: Sender) -> Result<()> {
    server.hub.disconnect(device, Goodbye::new(Code::LoggedOut, "This device was logged out."));
    delete_packages(&server.store, device).await?;
    let keys = Batch::new(Family::Keys, device.device.as_bytes()).delete(Table::DeviceKey, b"credential");
    server.store.commit(keys).await?;
    let inbox = server.lanes.open_inbox(server, device).await?;
    server.log.forget(inbox.log, 0, inbox.head().seq).await?;
    server.lanes.forget(inbox);
    let owner = Batch::new(Family::DeviceOwner, device.device.as_bytes()).delete(Table::DeviceOwner, []);
    server.store.commit(owner).await?;
    Ok(())
}

/// Deletes all key packages of a device, the last-resort one too.
pub async fn delete_packages(store: &Store, device: Sender) -> Result<()> {
    let rows = store.scan(&Scan::all(Table::KeyPackage, device.device.as_bytes(), PACKAGES_SCAN)).await?;
    let batch = Batch::new(Family::Keys, device.device.as_bytes()).delete(Table::DeviceKey, b"last");
    let batch = rows.iter().fold(batch, |batch, row| batch.delete(Table::KeyPackage, &row.row));
    Ok(store.commit(batch).await?)
}
