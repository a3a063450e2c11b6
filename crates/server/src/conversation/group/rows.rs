//! A group's GroupInfos and ratchet trees on the disk.
//!
//! Written before the commit that leads to them is appended, under its message id. The newest one is the group's state,
//! from which any node goes on; those of commits that welcomed somebody are kept for a while, so that joiners find the
//! tree that they were welcomed to. An index row names what is there; whoever writes compares it, so two nodes that
//! write at once do not lose each other's rows.

use super::work;
use crate::conversation::append::retention_ms;
use crate::error::{Error, Result};
use crate::public_group::{Held, PublicState};
use crate::server::Server;
use crate::stored::{self, Stored};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidings_proto::frame::Commit;
use tidings_proto::id::{ConversationId, MessageId};
use tidings_proto::problem::Code;
use tidings_store::batch::Assert;
use tidings_store::table::Family;
use tidings_store::{Batch, Key, StoreError, Table};

/// Trees of one group that are kept for joiners, beside the newest.
const KEPT_MAX: usize = 16;
const KEPT_MAX_BYTES: usize = 32 * 1024 * 1024;
const INDEX: &[u8] = b"index";

/// What is there, the oldest first. Version 1 of the row `index` of `Table::GroupTree`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Index {
    trees: Vec<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    commit: MessageId,
    /// The epoch that it led to.
    epoch: u64,
    /// 0 until it is known that the log has it.
    seq: u64,
    time_ms: u64,
    bytes: u64,
    welcomes: bool,
}

/// The state as of a commit.
#[derive(Debug)]
pub struct AsOf {
    pub epoch: u64,
    pub commit_seq: u64,
    pub group_info: Bytes,
    pub tree: Bytes,
}

/// Where the newest commit stands.
#[derive(Clone, Copy, Debug)]
pub struct Newest {
    pub commit: MessageId,
    pub seq: u64,
}

/// Writes the rows of a commit that is about to be appended, and deletes those that nobody needs any more.
pub async fn write(server: &Server, commit: &Commit, tree: Vec<u8>, newest: Option<Newest>) -> Result<()> {
    let found = index(server, commit.conversation).await?;
    let now_ms = server.clock.now_ms();
    let (mut index, assert) = match found {
        Some(Stored { value, bytes }) => (value, Assert::Equals(bytes)),
        None => (Index::default(), Assert::Absent),
    };
    if let Some(newest) = newest {
        index.trees.iter_mut().filter(|kept| kept.commit == newest.commit).for_each(|kept| kept.seq = newest.seq);
    }
    index.trees.retain(|kept| kept.commit != commit.message_id);
    let gone = index.prune(newest, now_ms.saturating_sub(retention_ms(server)));
    index.trees.push(Kept {
        commit: commit.message_id,
        epoch: commit.epoch + 1,
        seq: 0,
        time_ms: now_ms,
        bytes: tree.len() as u64,
        welcomes: !commit.welcomes.is_empty(),
    });
    let row = commit.message_id;
    let batch = Batch::new(Family::Conversation, commit.conversation.as_bytes())
        .assert(Table::GroupTree, INDEX, assert)
        .put(Table::GroupTree, INDEX, stored::encode(&index))
        .put(Table::GroupTree, row.as_bytes(), tree)
        .put(Table::GroupInfo, row.as_bytes(), commit.group_info.0.clone());
    Ok(server.store.commit(delete(batch, &gone)).await?)
}

/// Deletes the rows of a commit that was not taken.
pub async fn forget(server: &Server, conversation: ConversationId, commit: MessageId) {
    let forget = async {
        let Some(Stored { value: mut index, bytes }) = index(server, conversation).await? else { return Ok(()) };
        index.trees.retain(|kept| kept.commit != commit);
        let batch = Batch::new(Family::Conversation, conversation.as_bytes())
            .assert(Table::GroupTree, INDEX, Assert::Equals(bytes))
            .put(Table::GroupTree, INDEX, stored::encode(&index));
        Ok::<_, Error>(server.store.commit(delete(batch, &[commit])).await?)
    };
    if let Err(error) = forget.await {
        tracing::debug!(%error, "the rows of a lost commit stay until the next one");
    }
}

/// The group as of its newest commit.
pub async fn load(server: &Server, conversation: ConversationId, newest: MessageId) -> Result<Held> {
    let rows = read(server, conversation, newest).await?;
    let (group_info, tree) = rows.ok_or_else(|| Error::new(Code::Internal, "The group's public state is missing."))?;
    let tree_bytes = tree.len();
    let state = work(tree_bytes, move || PublicState::load(conversation, &group_info, &tree)).await??;
    Ok(Held { commit: newest, state, tree_bytes })
}

/// The rows of the newest commit, or of an older one that is still here and in the log.
pub async fn as_of(
    server: &Server,
    conversation: ConversationId,
    commit: MessageId,
    newest: Newest,
    epoch: u64,
) -> Result<Option<AsOf>> {
    let (epoch, commit_seq) = if commit == newest.commit {
        (epoch, newest.seq)
    } else {
        let index = index(server, conversation).await?.map(|stored| stored.value).unwrap_or_default();
        let Some(kept) = index.trees.iter().find(|kept| kept.commit == commit && kept.seq > 0) else { return Ok(None) };
        (kept.epoch, kept.seq)
    };
    let rows = read(server, conversation, commit).await?;
    Ok(rows.map(|(group_info, tree)| AsOf { epoch, commit_seq, group_info, tree }))
}

async fn read(server: &Server, conversation: ConversationId, commit: MessageId) -> Result<Option<(Bytes, Bytes)>> {
    let key = |table| Key::new(table, conversation.as_bytes(), commit.as_bytes());
    let rows = server.store.get_many(&[key(Table::GroupInfo), key(Table::GroupTree)]).await?;
    let mut rows = rows.into_iter().flatten();
    Ok(rows.next().zip(rows.next()))
}

async fn index(server: &Server, conversation: ConversationId) -> Result<Option<Stored<Index>>, StoreError> {
    let row = server.store.get(&Key::new(Table::GroupTree, conversation.as_bytes(), INDEX)).await?;
    row.map(|bytes| stored::decode(Table::GroupTree, bytes)).transpose()
}

fn delete(batch: Batch, commits: &[MessageId]) -> Batch {
    commits.iter().fold(batch, |batch, commit| {
        batch.delete(Table::GroupTree, commit.as_bytes()).delete(Table::GroupInfo, commit.as_bytes())
    })
}

impl Index {
    /// Strikes out what nobody needs: what is older than the newest commit, unless it welcomed somebody not long ago.
    fn prune(&mut self, newest: Option<Newest>, oldest_ms: u64) -> Vec<MessageId> {
        let (mut kept, mut bytes) = (0, 0);
        let mut gone = Vec::new();
        for tree in std::mem::take(&mut self.trees).into_iter().rev() {
            let needed = tree.welcomes && tree.seq > 0 && tree.time_ms >= oldest_ms;
            let fits = kept < KEPT_MAX && bytes + tree.bytes as usize <= KEPT_MAX_BYTES;
            if newest.is_some_and(|newest| newest.commit == tree.commit) {
                self.trees.push(tree);
            } else if needed && fits {
                (kept, bytes) = (kept + 1, bytes + tree.bytes as usize);
                self.trees.push(tree);
            } else {
                gone.push(tree.commit);
            }
        }
        self.trees.reverse();
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(number: u8, seq: u64, welcomes: bool, bytes: u64) -> Kept {
        let commit = MessageId::from_bytes([number; 16]);
        Kept { commit, epoch: u64::from(number), seq, time_ms: 1_000 + u64::from(number), bytes, welcomes }
    }

    fn left(index: &Index) -> Vec<u8> {
        index.trees.iter().map(|kept| kept.commit.as_bytes()[0]).collect()
    }

    #[test]
    fn trees_stay_for_those_who_were_welcomed_within_their_bounds() {
        let newest = Newest { commit: MessageId::from_bytes([5; 16]), seq: 9 };
        let mut index = Index {
            trees: vec![
                tree(1, 2, true, 1),
                tree(2, 3, false, 1),
                tree(3, 0, true, 1),
                tree(4, 7, true, 1),
                tree(5, 9, false, 1),
            ],
        };
        let mut gone: Vec<u8> = index.prune(Some(newest), 1_000).iter().map(|id| id.as_bytes()[0]).collect();
        gone.sort_unstable();
        assert_eq!((left(&index), gone), (vec![1, 4, 5], vec![2, 3]), "3 never came into the log");
        index.prune(Some(newest), 1_003);
        assert_eq!(left(&index), [4, 5], "1 is too old");

        let mut index = Index { trees: (1..40).map(|number| tree(number, 1, true, 1)).collect() };
        index.prune(None, 0);
        assert_eq!(left(&index).len(), KEPT_MAX);
        assert_eq!(left(&index).last(), Some(&39));
        let mut index = Index { trees: (1..9).map(|number| tree(number, 1, true, 10 << 20)).collect() };
        index.prune(None, 0);
        assert_eq!(left(&index), [6, 7, 8]);
    }

    #[test]
    fn the_stored_form_of_the_index_does_not_change() {
        let index = Index { trees: vec![tree(1, 2, true, 300)] };
        let hex: String = stored::encode(&index).iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!("tree_index_stored", hex);
    }
}
