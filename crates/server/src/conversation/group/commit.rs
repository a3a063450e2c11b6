//! A commit of a group: verified, written around, appended. All of it takes effect, or nothing.

use super::request;
use super::{check, consent, rows, work};
use crate::conversation::append::lost;
use crate::conversation::commit::{append, sent_before};
use crate::conversation::pointer;
use crate::error::{Error, Result};
use crate::lane::{Lane, Roster};
use crate::public_group::{Held, Verified};
use crate::server::Server;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::frame::Commit;
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;
use tidings_store::log::{Head, Sent};

/// Runs in a task of its own: whoever asked may go, what was begun is ended while the group's slot is held.
pub async fn commit(server: &Arc<Server>, sender: Sender, commit: Commit) -> Result<Sent> {
    let server = server.clone();
    let task = tokio::spawn(async move {
        let slot = server.groups.slot(commit.conversation);
        let conversation = commit.conversation;
        let mut held = slot.state.lock().await;
        let sent = take(&server, sender, Arc::new(commit), &mut held).await;
        drop(held);
        server.groups.settle(conversation, slot);
        sent
    });
    task.await.map_err(|_| lost())?
}

async fn take(server: &Arc<Server>, sender: Sender, commit: Arc<Commit>, held: &mut Option<Held>) -> Result<Sent> {
    let lane = server.lanes.open(server, commit.conversation.into()).await?;
    let Some((head, roster)) = lane.roster() else { return Err(Error::not_found("conversation")) };
    if let Some(sent) = sent_before(server, &lane, &head, sender, &commit).await? {
        return Ok(sent);
    }
    check::admit(server, sender, &commit, &roster)?;
    if commit.epoch != head.epoch {
        return Err(stale(&head));
    }
    consent::check(server, sender, &commit, Some(&roster)).await?;
    open(server, &commit, &roster, held).await?;
    let verified = verify(server, sender, &commit, held).await?;
    check::devices(server, sender, Some(&roster), &verified.done).await?;

    let newest = rows::Newest { commit: roster.commit_id, seq: roster.commit_seq };
    let joined: BTreeSet<AccountId> = verified.done.change.added.iter().map(|device| device.account).collect();
    let (next, tree) = apply(&commit, verified, held).await?;
    let new: Vec<AccountId> = joined.iter().copied().filter(|account| roster.member(*account).is_none()).collect();
    write(server, sender, &commit, &new, tree, Some(newest)).await?;
    let sent = settle(server, &lane, sender, &commit).await?;
    *held = Some(next);
    request::answered(server, commit.conversation, &new).await;
    Ok(sent)
}

pub fn stale(head: &Head) -> Error {
    Error::new(Code::StaleEpoch, format!("The conversation is at epoch {}.", head.epoch)).at(head.epoch, head.seq)
}

/// Sees to it that the slot holds the group as of its newest commit.
pub async fn open(server: &Server, commit: &Commit, roster: &Roster, held: &mut Option<Held>) -> Result<()> {
    if held.as_ref().is_none_or(|held| held.commit != roster.commit_id) {
        *held = Some(rows::load(server, commit.conversation, roster.commit_id).await?);
    }
    Ok(())
}

/// Asks the state that is held; it stays there.
pub async fn verify(
    server: &Server,
    sender: Sender,
    commit: &Arc<Commit>,
    held: &mut Option<Held>,
) -> Result<Verified> {
    let now_s = server.clock.now_ms() / 1_000;
    let (Some(state), commit) = (held.take(), commit.clone()) else { return Err(lost()) };
    let bytes = state.tree_bytes + commit.payload.len();
    let (state, verified) = work(bytes, move || {
        let verified = state.state.verify(sender, &commit, now_s);
        (state, verified)
    })
    .await?;
    *held = Some(state);
    Ok(verified?)
}

/// Takes the state out of the slot and the commit into the state. The slot is empty until the commit stands in the log.
pub async fn apply(commit: &Commit, verified: Verified, held: &mut Option<Held>) -> Result<(Held, Vec<u8>)> {
    let Some(mut next) = held.take() else { return Err(lost()) };
    let bytes = next.tree_bytes + commit.payload.len();
    let id = commit.message_id;
    let next = work(bytes, move || {
        next.state.apply(verified)?;
        let tree = next.state.tree()?;
        (next.commit, next.tree_bytes) = (id, tree.len());
        Ok::<_, crate::public_group::Refusal>((next, tree))
    });
    Ok(next.await??)
}

/// Pointers first: everything that points to the commit.
pub async fn write(
    server: &Arc<Server>,
    sender: Sender,
    commit: &Commit,
    new: &[AccountId],
    tree: Vec<u8>,
    newest: Option<rows::Newest>,
) -> Result<()> {
    rows::write(server, commit, tree, newest).await?;
    let written = async {
        pointer::write_memberships(server, new, commit.conversation).await?;
        pointer::write_welcomes(server, sender, commit).await
    };
    let written = written.await;
    if written.is_err() {
        rows::forget(server, commit.conversation, commit.message_id).await;
    }
    written
}

/// Truth last: appends the commit. What pointed to one that lost is cleaned up.
pub async fn settle(server: &Arc<Server>, lane: &Arc<Lane>, sender: Sender, commit: &Commit) -> Result<Sent> {
    let sent = append(server, lane, sender, commit.clone()).await;
    if let Err(Error { code: Code::StaleEpoch | Code::Exists | Code::CommitFirst, .. }) = sent {
        rows::forget(server, commit.conversation, commit.message_id).await;
    }
    sent
}
