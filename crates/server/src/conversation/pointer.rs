//! What is written around a commit. Pointers first, truth last: rows that point to the commit are written before it is
//! appended, and mean nothing until it is.

use super::append::{lost, retention_ms};
use crate::error::{Error, Result};
use crate::lane::Reply;
use crate::server::Server;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::frame::{Commit, Welcome};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::limit::{COMMIT_MAX_BYTES, WELCOMES_MAX};
use tidings_proto::problem::Code;
use tidings_store::log::NewEntry;
use tidings_store::table::Family;
use tidings_store::{Batch, Table};
use tokio::sync::oneshot;

/// A device in a change, as it is stored.
const DEVICE_BYTES: usize = 64;

/// Bounds of a commit, and exactly one welcome for each added device except the sender's own.
pub fn check_shape(sender: Sender, commit: &Commit) -> Result<()> {
    let devices = commit.change.added.len() + commit.change.removed.len();
    let bytes = commit.payload.len()
        + commit.group_info.len()
        + devices * DEVICE_BYTES
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

fn recipient(welcome: &Welcome) -> Sender {
    Sender { account: welcome.account, device: welcome.device }
}

/// Writes the group info and the welcomes of a commit. Who blocks the sender gets theirs too: it shows nothing by itself,
/// and without it what is said until the unblocking could never be read.
pub async fn write(server: &Arc<Server>, sender: Sender, commit: &Commit) -> Result<()> {
    let row = Batch::new(Family::Conversation, commit.conversation.as_bytes()).put(
        Table::GroupInfo,
        commit.message_id.as_bytes(),
        commit.group_info.0.clone(),
    );
    // The inboxes commit at the same time, and share an fsync with the row.
    let mut delivered = Vec::with_capacity(commit.welcomes.len());
    for welcome in &commit.welcomes {
        delivered.push(deliver(server, sender, commit, welcome).await?);
    }
    server.store.commit(row).await?;
    for answer in delivered {
        answer.await.map_err(|_| lost())??;
    }
    Ok(())
}

/// Queues a welcome in the inbox of its device. It has the id of its commit, so a repeat changes nothing.
async fn deliver(
    server: &Arc<Server>,
    sender: Sender,
    commit: &Commit,
    welcome: &Welcome,
) -> Result<oneshot::Receiver<Result<tidings_store::log::Sent>>> {
    let inbox = server.lanes.open_inbox(server, recipient(welcome)).await?;
    let entry = NewEntry {
        message_id: commit.message_id,
        sender,
        epoch: 0,
        body: Body::Welcome {
            conversation: commit.conversation,
            commit: commit.message_id,
            payload: welcome.payload.clone(),
        },
        expires_in_ms: Some(retention_ms(server)),
    };
    let (answer, answered) = oneshot::channel();
    inbox.append_checked(server, entry, Reply::Call(answer))?;
    Ok(answered)
}

/// Lets an account find the conversation.
pub async fn write_membership(server: &Server, account: AccountId, conversation: ConversationId) -> Result<()> {
    let row =
        Batch::new(Family::Account, account.as_bytes()).put(Table::Membership, conversation.as_bytes(), Bytes::new());
    Ok(server.store.commit(row).await?)
}

/// Deletes the group info of a commit that was not taken, or that is not the newest any more.
pub async fn forget_group_info(server: &Server, conversation: ConversationId, commit: MessageId) {
    let row = Batch::new(Family::Conversation, conversation.as_bytes()).delete(Table::GroupInfo, commit.as_bytes());
    if let Err(error) = server.store.commit(row).await {
        tracing::debug!(%error, "an old group info stays");
    }
}
