//! What is written around a commit of any kind of conversation. Pointers first, truth last: rows that point to the commit are written before it is
//! appended, and mean nothing until it is.

use super::append::{lost, retention_ms};
use crate::error::{Error, Result};
use crate::lane::Reply;
use crate::server::Server;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_proto::entry::{Body, Change, Sender};
use tidings_proto::frame::{Commit, Welcome};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::limit::{COMMIT_MAX_BYTES, WELCOMES_MAX};
use tidings_proto::problem::Code;
use tidings_store::log::NewEntry;
use tidings_store::table::Family;
use tidings_store::{Batch, Table};
use tokio::sync::oneshot;

/// A device in a change, as it is stored; of a proof all but its signature.
const DEVICE_BYTES: usize = 128;

/// Bounds of a commit, and exactly one welcome for each added device except the sender's own.
pub fn check_shape(sender: Sender, commit: &Commit) -> Result<()> {
    let bytes = commit.payload.len()
        + commit.group_info.len()
        + commit.origin.as_ref().map_or(0, |origin| origin.len())
        + change_bytes(&commit.change)
        + commit.welcomes.iter().map(|welcome| welcome.payload.len()).sum::<usize>();
    if bytes > COMMIT_MAX_BYTES || commit.welcomes.len() > WELCOMES_MAX {
        return Err(Error::new(
            Code::TooLarge,
            format!("A commit has at most {COMMIT_MAX_BYTES} bytes and {WELCOMES_MAX} welcomes."),
        ));
    }
    let bad = |detail: &str| Err(Error::new(Code::BadRequest, detail));
    let added: BTreeSet<Sender> = commit.change.added.iter().copied().collect();
    if added.len() != commit.change.added.len() {
        return bad("A device is added twice.");
    }
    let expected: BTreeSet<Sender> = added.into_iter().filter(|device| *device != sender).collect();
    let welcomed: BTreeSet<Sender> = commit.welcomes.iter().map(recipient).collect();
    if welcomed != expected || welcomed.len() != commit.welcomes.len() {
        return bad("A commit has exactly one welcome for each device that it adds, except for the sender's own.");
    }
    Ok(())
}

/// Of the entry, beside its payload; near enough for a bound.
fn change_bytes(change: &Change) -> usize {
    let devices = change.added.len() + change.removed.len() + change.left.len() + usize::from(change.invite.is_some());
    devices * DEVICE_BYTES
        + change.rules.as_ref().map_or(0, |rules| rules.encode().len())
        + change.left.iter().map(|proof| proof.signature.len()).sum::<usize>()
        + change.invite.as_ref().map_or(0, |proof| proof.signature.len())
}

fn recipient(welcome: &Welcome) -> Sender {
    Sender { account: welcome.account, device: welcome.device }
}

/// Writes the group info and the welcomes of a commit of a direct conversation or a self chat. Who blocks the sender gets
/// theirs too: it shows nothing by itself, and without it what is said until the unblocking could never be read.
pub async fn write(server: &Arc<Server>, sender: Sender, commit: &Commit) -> Result<()> {
    let row = Batch::new(Family::Conversation, commit.conversation.as_bytes()).put(
        Table::GroupInfo,
        commit.message_id.as_bytes(),
        commit.group_info.0.clone(),
    );
    // The inboxes commit at the same time, and share an fsync with the row.
    let delivered = begin_welcomes(server, sender, commit).await?;
    server.store.commit(row).await?;
    all(delivered).await
}

/// Writes the welcomes of a commit.
pub async fn write_welcomes(server: &Arc<Server>, sender: Sender, commit: &Commit) -> Result<()> {
    all(begin_welcomes(server, sender, commit).await?).await
}

/// A welcome has the id of its commit, so a repeat changes nothing.
async fn begin_welcomes(server: &Arc<Server>, sender: Sender, commit: &Commit) -> Result<Vec<Delivery>> {
    let mut delivered = Vec::with_capacity(commit.welcomes.len());
    for welcome in &commit.welcomes {
        let body = Body::Welcome {
            conversation: commit.conversation,
            commit: commit.message_id,
            payload: welcome.payload.clone(),
        };
        delivered.push(deliver(server, sender, recipient(welcome), commit.message_id, body).await?);
    }
    Ok(delivered)
}

/// An entry on its way into an inbox.
pub type Delivery = oneshot::Receiver<Result<tidings_store::log::Sent>>;

/// Queues an entry in the inbox of a device.
pub async fn deliver(
    server: &Arc<Server>,
    sender: Sender,
    to: Sender,
    message_id: MessageId,
    body: Body,
) -> Result<Delivery> {
    let inbox = server.lanes.open_inbox(server, to).await?;
    let entry = NewEntry { message_id, sender, epoch: 0, body, expires_in_ms: Some(retention_ms(server)) };
    let (answer, answered) = oneshot::channel();
    inbox.append_checked(server, entry, Reply::Call(answer))?;
    Ok(answered)
}

/// Waits until all of them are durable.
pub async fn all(delivered: Vec<Delivery>) -> Result<()> {
    for answer in delivered {
        answer.await.map_err(|_| lost())??;
    }
    Ok(())
}

/// Lets accounts find the conversation. Many at once share an fsync.
pub async fn write_memberships(server: &Server, accounts: &[AccountId], conversation: ConversationId) -> Result<()> {
    let row = |account: &AccountId| {
        let row = Batch::new(Family::Account, account.as_bytes());
        row.put(Table::Membership, conversation.as_bytes(), Bytes::new())
    };
    let written = futures_util::future::join_all(accounts.iter().map(|account| server.store.commit(row(account))));
    Ok(written.await.into_iter().collect::<Result<(), _>>()?)
}

/// Deletes the group info of a commit that was not taken, or that is not the newest any more.
pub async fn forget_group_info(server: &Server, conversation: ConversationId, commit: MessageId) {
    let row = Batch::new(Family::Conversation, conversation.as_bytes()).delete(Table::GroupInfo, commit.as_bytes());
    if let Err(error) = server.store.commit(row).await {
        tracing::debug!(%error, "an old group info stays");
    }
}
