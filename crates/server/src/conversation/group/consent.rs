//! Nobody is put into a group who does not allow it: by everybody, by their contacts, or by nobody, and never by somebody
//! whom they block. Who asked to be let in does, and so does who comes by a link.

use crate::error::{Error, Result};
use crate::lane::Roster;
use crate::server::Server;
use crate::sharing;
use std::collections::BTreeSet;
use tidings_proto::entry::Sender;
use tidings_proto::frame::Commit;
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;
use tidings_store::{Key, Table};

/// `roster`: of a group that exists.
pub async fn check(server: &Server, sender: Sender, commit: &Commit, roster: Option<&Roster>) -> Result<()> {
    if commit.change.external {
        return Ok(());
    }
    let is_in = |account: &AccountId| {
        let away = |roster: &Roster| roster.rules.as_ref().is_some_and(|rules| rules.away.contains(account));
        roster.is_some_and(|roster| roster.member(*account).is_some() || away(roster))
    };
    let new: BTreeSet<AccountId> = commit.change.added.iter().map(|device| device.account).collect();
    let new: Vec<AccountId> = new.into_iter().filter(|account| *account != sender.account && !is_in(account)).collect();
    let mut refused = Vec::new();
    let blocks: Vec<Key> =
        new.iter().map(|by| Key::new(Table::Block, by.as_bytes(), sender.account.as_bytes())).collect();
    let blocks = server.store.get_many(&blocks).await?;
    let sharings = sharing::load(&server.store, &new).await?;
    for ((account, sharing), block) in new.iter().zip(sharings).zip(blocks) {
        let lets = block.is_none() && sharing::permits(&server.store, *account, sharing.add_me, sender.account).await?;
        if !lets && !asked(server, commit, *account).await? {
            refused.push(*account);
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => {
            let detail = "Not everybody lets you add them to groups; send them an invite link.";
            Err(Error::new(Code::InviteNeeded, detail).about(refused))
        }
    }
}

/// Whether they wait to be let in.
async fn asked(server: &Server, commit: &Commit, account: AccountId) -> Result<bool> {
    let key = Key::new(Table::JoinRequest, commit.conversation.as_bytes(), account.as_bytes());
    Ok(server.store.get(&key).await?.is_some())
}
