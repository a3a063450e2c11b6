//! The end of an account, as durable work: a row says that it is to be done and what it needs, and whoever finds the row
//! (the request itself, a minute later, or the next start of the server) does all of it again from the beginning, which
//! changes nothing where it was done. The row goes last.
//!
//! First the account, its devices and its number, in this order: from then on every token is dead, and the number is free
//! for a new account. Then its conversations are told, so that their members take its leaves out, and everything is
//! removed that is kept under the account or its devices. What others were sent stays with them, and at the server until
//! it expires.

use crate::directory;
use crate::error::{Error, Result};
use crate::hub::Goodbye;
use crate::logout::{self, Why};
use crate::server::Server;
use crate::stored::{self, Stored};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::entry::Sender;
use tidings_proto::id::{AccountId, BlobId, ConversationId, DeviceId, LogId};
use tidings_proto::limit::BLOB_LIFETIME_MAX_S;
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, CommitError, Key, Scan, Table};

/// Work that was cut short is looked for this often.
const EVERY: Duration = Duration::from_secs(60);
/// Rows of one step.
const ROWS: u32 = 128;
/// How often a login may be faster.
const TRIES_MAX: u32 = 16;
/// Conversations that are told at the same time.
const TOLD_AT_ONCE: usize = 32;
/// Connections end by themselves once they were told to; what they leave is written after that.
const SESSIONS_END_MAX: Duration = Duration::from_secs(3);
const SESSIONS_LOOK: Duration = Duration::from_millis(20);
const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// Days around today in which a blob may be due: what is looked at soon, and what expires last.
const DUE_DAYS: u64 = BLOB_LIFETIME_MAX_S / (24 * 3_600) + 3;

/// Version 1 of a row of `Table::Deletion`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub phone_hash: ByteArray<32>,
    /// Who asked for it, and every other device that the account had.
    pub asked_by: DeviceId,
    pub devices: BTreeSet<DeviceId>,
    /// See `proto::credential::deletion`.
    pub proof: ByteBuf,
    /// Groups that it has left just before.
    pub left: Vec<ConversationId>,
}

/// From here on it will be done, whatever happens.
pub async fn begin(server: &Server, account: AccountId, work: &Work) -> Result<()> {
    let batch = Batch::new(Family::Deletion, []).put(Table::Deletion, account.as_bytes(), stored::encode(work));
    Ok(server.store.commit(batch).await?)
}

/// For ever, until it is dropped.
pub async fn run(server: Arc<Server>) {
    loop {
        if let Err(error) = finish_all(&server).await {
            tracing::warn!(%error, "an account could not be deleted yet");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What was begun and is not done. One that cannot be done now does not keep the others; its error is returned.
pub async fn finish_all(server: &Arc<Server>) -> Result<()> {
    let mut result = Ok(());
    for row in server.store.scan(&Scan::all(Table::Deletion, [], ROWS)).await? {
        if let Some(account) = AccountId::from_slice(&row.row) {
            result = finish(server, account).await.and(result);
        }
    }
    result
}

/// Does all of it. Not an error if there is nothing to do.
pub async fn finish(server: &Arc<Server>, account: AccountId) -> Result<()> {
    // One at a time: two would tell everybody twice.
    let _turn = server.deletions.lock().await;
    let key = Key::new(Table::Deletion, [], account.as_bytes());
    let Some(row) = server.store.get(&key).await? else { return Ok(()) };
    let work = stored::decode::<Work>(Table::Deletion, row)?;
    let work = strike(server, account, work).await?;
    let devices: Vec<Sender> = work.devices.iter().map(|device| Sender { account, device: *device }).collect();
    disconnect(server, &devices).await;
    conversations(server, account, &work, &devices).await?;
    self_chat(server, account).await?;
    for device in &devices {
        keys_and_inbox(server, *device).await?;
    }
    blobs(server, account).await?;
    marks(server, account, &devices).await?;
    partition(server, Table::Block, account.as_bytes()).await?;
    partition(server, Table::Membership, account.as_bytes()).await?;
    let rest = Batch::new(Family::Account, account.as_bytes())
        .delete(Table::Sharing, [])
        .delete(Table::Contacts, [])
        .delete(Table::Lock, []);
    server.store.commit(rest).await?;
    for device in &devices {
        let owner = Batch::new(Family::DeviceOwner, device.device.as_bytes()).delete(Table::DeviceOwner, []);
        server.store.commit(owner).await?;
    }
    let done = Batch::new(Family::Deletion, []).delete(Table::Deletion, account.as_bytes());
    server.store.commit(done).await?;
    tracing::info!("an account was deleted");
    Ok(())
}

/// The account, its devices, its number. Returns the work with all of the devices in it.
async fn strike(server: &Server, account: AccountId, mut work: Stored<Work>) -> Result<Work> {
    for _ in 0..TRIES_MAX {
        let Some(row) = directory::account(&server.store, account).await? else { break };
        let devices = directory::devices(&server.store, account).await?;
        let before = work.value.devices.len();
        work.value.devices.extend(devices.iter().map(|(device, _)| *device));
        if work.value.devices.len() > before {
            begin(server, account, &work.value).await?;
        }
        // A login at this moment changes the account's row, so no device is missed.
        let batch = Batch::new(Family::Account, account.as_bytes())
            .assert(Table::Account, [], Assert::Equals(row.bytes))
            .delete(Table::Account, []);
        let batch = devices.iter().fold(batch, |batch, (device, _)| batch.delete(Table::Device, device.as_bytes()));
        match server.store.commit(batch).await {
            Ok(()) | Err(CommitError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if directory::account(&server.store, account).await?.is_some() {
        return Err(Error::new(Code::Overloaded, "Too many logins at once; wait.").retry_after_ms(1_000));
    }
    let number = Batch::new(Family::Phone, work.value.phone_hash.as_slice())
        .assert(Table::Phone, [], Assert::Equals(account.as_bytes().to_vec().into()))
        .delete(Table::Phone, [])
        .delete(Table::Code, []);
    match server.store.commit(number).await {
        // The number is another account's by now.
        Ok(()) | Err(CommitError::Conflict(_)) => Ok(work.value),
        Err(error) => Err(error.into()),
    }
}

/// What a connection knows of its device is written when it ends: that has to be before the rows go.
async fn disconnect(server: &Server, devices: &[Sender]) {
    for device in devices {
        server.hub.disconnect(*device, Goodbye::new(Code::LoggedOut, "This account was deleted."));
    }
    let ended = async {
        while devices.iter().any(|device| server.hub.has(*device)) {
            tokio::time::sleep(SESSIONS_LOOK).await;
        }
    };
    if tokio::time::timeout(SESSIONS_END_MAX, ended).await.is_err() {
        tracing::warn!("a connection of a deleted account does not end");
    }
}

/// Everybody whom the account talked to is told, and a membership is forgotten once that is done.
async fn conversations(server: &Arc<Server>, account: AccountId, work: &Work, devices: &[Sender]) -> Result<()> {
    let own = LogId::from(ConversationId::self_chat(account));
    let mut logs = directory::memberships(&server.store, account).await?;
    logs.retain(|log| *log != own);
    for some in logs.chunks(TOLD_AT_ONCE) {
        let told = some.iter().map(|log| one(server, *log, account, work, devices));
        futures_util::future::join_all(told).await.into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}

async fn one(server: &Arc<Server>, log: LogId, account: AccountId, work: &Work, devices: &[Sender]) -> Result<()> {
    let is_member = {
        let lane = server.lanes.open(server, log).await?;
        let is_member = lane.roster().is_some_and(|(_, roster)| roster.member(account).is_some());
        server.lanes.forget(lane);
        is_member
    };
    for device in devices.iter().filter(|device| device.device != work.asked_by) {
        logout::tell(server, log, *device, &Why::default()).await?;
    }
    if is_member || work.left.contains(&log.as_conversation()) {
        let asked_by = Sender { account, device: work.asked_by };
        let why = Why { revoked: None, deleted: Some(Payload::from(work.proof.to_vec())) };
        logout::tell(server, log, asked_by, &why).await?;
    }
    let asked = Batch::new(Family::Conversation, log.as_bytes()).delete(Table::JoinRequest, account.as_bytes());
    server.store.commit(asked).await?;
    // Its watermarks, before the row that leads to them. Nobody moves them any more.
    server.lanes.flush(server).await?;
    let marks = Batch::new(Family::Watermark, log.as_bytes())
        .delete(Table::Delivered, account.as_bytes())
        .delete(Table::Read, account.as_bytes());
    server.store.commit(marks).await?;
    let membership = Batch::new(Family::Account, account.as_bytes()).delete(Table::Membership, log.as_bytes());
    Ok(server.store.commit(membership).await?)
}

/// Notes to oneself: nobody else has them.
async fn self_chat(server: &Arc<Server>, account: AccountId) -> Result<()> {
    let chat = ConversationId::self_chat(account);
    server.lanes.drop_lane(chat.into());
    server.log.erase(chat.into()).await?;
    for table in [Table::Roster, Table::GroupInfo, Table::GroupTree, Table::JoinRequest] {
        partition(server, table, chat.as_bytes()).await?;
    }
    for table in [Table::Delivered, Table::Read] {
        partition(server, table, chat.as_bytes()).await?;
    }
    Ok(())
}

async fn keys_and_inbox(server: &Arc<Server>, device: Sender) -> Result<()> {
    partition(server, Table::KeyPackage, device.device.as_bytes()).await?;
    partition(server, Table::DeviceKey, device.device.as_bytes()).await?;
    server.lanes.drop_lane(device.device.into());
    Ok(server.log.erase(device.device.into()).await?)
}

/// The rows, the bytes, and the backup that they made up.
async fn blobs(server: &Server, account: AccountId) -> Result<()> {
    loop {
        let rows = server.store.scan(&Scan::all(Table::Blob, account.as_bytes(), ROWS)).await?;
        let mut batch = Batch::new(Family::Blob, account.as_bytes());
        for row in &rows {
            // The bytes first: without its row nobody would find them before the sweep does.
            if let Some(blob) = BlobId::from_slice(&row.row) {
                server.store.blobs().delete(account.as_bytes(), blob.as_bytes()).await?;
            }
            batch = batch.delete(Table::Blob, &row.row);
        }
        if rows.is_empty() {
            break;
        }
        server.store.commit(batch).await?;
    }
    partition(server, Table::Backup, account.as_bytes()).await?;
    partition(server, Table::BlobUse, account.as_bytes()).await?;
    let today = server.clock.now_ms() / DAY_MS;
    for day in today.saturating_sub(1)..=today + DUE_DAYS {
        due(server, day, account).await?;
    }
    Ok(())
}

async fn due(server: &Server, day: u64, account: AccountId) -> Result<()> {
    let (first, last) = (*account.as_bytes(), [&account.as_bytes()[..], &[0xFF; 17]].concat());
    loop {
        let scan = Scan::all(Table::BlobDue, day.to_be_bytes(), ROWS).from(first).until(&last);
        let rows = server.store.scan(&scan).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let batch = Batch::new(Family::BlobDue, day.to_be_bytes());
        let batch = rows.iter().fold(batch, |batch, row| batch.delete(Table::BlobDue, &row.row));
        server.store.commit(batch).await?;
        for row in rows {
            // Of a blob that was begun and has no row.
            if let Some(blob) = row.row.get(16..).and_then(BlobId::from_slice) {
                server.store.blobs().delete(account.as_bytes(), blob.as_bytes()).await?;
            }
        }
    }
}

/// Cursors and last seen: written by what has ended now.
async fn marks(server: &Server, account: AccountId, devices: &[Sender]) -> Result<()> {
    server.lanes.flush(server).await?;
    server.online.flush(server).await?;
    for device in devices {
        partition(server, Table::Cursor, device.device.as_bytes()).await?;
    }
    partition(server, Table::LookupUse, account.as_bytes()).await?;
    partition(server, Table::LastSeen, account.as_bytes()).await
}

/// Removes every row that a table has in a partition.
async fn partition(server: &Server, table: Table, partition: &[u8]) -> Result<()> {
    loop {
        let rows = server.store.scan(&Scan::all(table, partition, ROWS)).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let batch = Batch::new(table.family(), partition);
        let batch = rows.iter().fold(batch, |batch, row| batch.delete(table, &row.row));
        server.store.commit(batch).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let work = Work {
            phone_hash: [1; 32].into(),
            asked_by: DeviceId::from_bytes([2; 16]),
            devices: BTreeSet::from([DeviceId::from_bytes([2; 16]), DeviceId::from_bytes([3; 16])]),
            proof: ByteBuf::from(vec![4; 64]),
            left: vec![ConversationId::from_bytes([5; 16])],
        };
        let hex: String = stored::encode(&work).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("deletion_stored", hex);
        assert_eq!(stored::decode::<Work>(Table::Deletion, stored::encode(&work)).unwrap().value, work);
    }
}
