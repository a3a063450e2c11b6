//! A new group. Its first commit is verified like every other, from the state that its origin says.

use super::commit::{apply, settle, verify, write};
use super::{check, consent, work};
use crate::conversation::append::lost;
use crate::conversation::commit::sent_before;
use crate::directory;
use crate::error::{Error, Result};
use crate::public_group::{Held, PublicState};
use crate::server::Server;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::frame::Commit;
use tidings_proto::id::{AccountId, DeviceId};
use tidings_proto::problem::Code;
use tidings_store::log::Sent;

pub async fn create(server: &Arc<Server>, sender: Sender, commit: Commit) -> Result<Sent> {
    check_form(sender, &commit)?;
    let server = server.clone();
    let task = tokio::spawn(async move {
        let slot = server.groups.slot(commit.conversation);
        let conversation = commit.conversation;
        let mut held = slot.state.lock().await;
        let sent = begin(&server, sender, Arc::new(commit), &mut held).await;
        drop(held);
        server.groups.settle(conversation, slot);
        sent
    });
    task.await.map_err(|_| lost())?
}

fn check_form(sender: Sender, commit: &Commit) -> Result<()> {
    let bad = |detail: &str| Err(Error::new(Code::BadRequest, detail));
    let change = &commit.change;
    if commit.epoch != 0 || change.external || !change.removed.is_empty() || change.invite.is_some() {
        return bad("A conversation begins at epoch 0, and its first commit only adds.");
    }
    if !change.added.contains(&sender) {
        return bad("The first commit names the creating device too.");
    }
    if !commit.conversation.may_be_group() {
        return bad("The id of a group is random (UUIDv4).");
    }
    Ok(())
}

async fn begin(server: &Arc<Server>, sender: Sender, commit: Arc<Commit>, held: &mut Option<Held>) -> Result<Sent> {
    let lane = server.lanes.open(server, commit.conversation.into()).await?;
    let head = lane.head();
    if head.seq > 0 {
        let sent = sent_before(server, &lane, &head, sender, &commit).await?;
        return sent.ok_or_else(|| Error::new(Code::Exists, "This conversation exists.").at(head.epoch, head.seq));
    }
    // Inboxes are logs too, and a device's id is not to be taken.
    if directory::owner(&server.store, DeviceId::from_bytes(*commit.conversation.as_bytes())).await?.is_some() {
        return Err(Error::new(Code::Exists, "This id is taken; make another one."));
    }
    let accounts: BTreeSet<AccountId> = commit.change.added.iter().map(|device| device.account).collect();
    check::people(server, 1, accounts.len())?;
    consent::check(server, sender, &commit, None).await?;

    let origin = commit.clone();
    let bytes = commit.origin.as_ref().map_or(0, |origin| origin.len());
    let state = work(bytes, move || PublicState::begin(origin.conversation, sender, &origin)).await??;
    *held = Some(Held { commit: commit.message_id, state, tree_bytes: bytes });
    let created = async {
        let verified = verify(server, sender, &commit, held).await?;
        check::devices(server, sender, None, &verified.done).await?;
        let (next, tree) = apply(&commit, verified, held).await?;
        write(server, sender, &commit, &accounts.into_iter().collect::<Vec<_>>(), tree, None).await?;
        Ok((settle(server, &lane, sender, &commit).await?, next))
    };
    let created = created.await;
    let (sent, next) = match created {
        Ok(created) => created,
        Err(error) => {
            // What was begun is nobody's group.
            *held = None;
            server.lanes.forget(lane);
            return Err(error);
        }
    };
    *held = Some(next);
    Ok(sent)
}
