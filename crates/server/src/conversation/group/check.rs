//! What a commit of a group has to keep beyond MLS and the group's rules: what only the server can know.

use crate::directory::Account;
use crate::error::{Error, Result};
use crate::keys::credential;
use crate::lane::{Roster, commit_first};
use crate::public_group::Done;
use crate::server::Server;
use crate::stored;
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, Sender};
use tidings_proto::frame::Commit;
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;
use tidings_store::{Key, Table};

/// Before anything costs much: who may bring such a commit at all.
pub fn admit(server: &Server, sender: Sender, commit: &Commit, roster: &Roster) -> Result<()> {
    let change = &commit.change;
    match roster.member(sender.account) {
        Some(member) if change.external || member.devices.binary_search(&sender.device).is_ok() => {}
        Some(_) => {
            let detail = "This device is not in the group; join by an external commit.";
            return Err(Error::new(Code::Forbidden, detail));
        }
        None if roster.has_departed(sender.account) && change.external => return Err(commit_first()),
        None => {
            let (Some(rules), Some(proof), true) = (&roster.rules, &change.invite, change.external) else {
                return Err(Error::not_found("conversation"));
            };
            if roster.members.is_empty() {
                // Everybody has left: there would be no admin.
                return Err(Error::not_found("conversation"));
            }
            rules.check_join(commit.conversation, sender, proof, server.clock.now_ms() / 1_000)?;
        }
    }
    people(server, roster.members.len(), roster.people_after(change))?;
    departed(roster, change)
}

/// A group has a limit of people; one that is above it already, because the limit was lowered, does not grow.
pub fn people(server: &Server, before: usize, after: usize) -> Result<()> {
    let most = server.config.group.participants_max;
    if after > most && after > before {
        return Err(Error::new(Code::GroupFull, format!("A group has at most {most} people here.")));
    }
    Ok(())
}

/// Whoever left goes first, and comes back afterwards.
fn departed(roster: &Roster, change: &Change) -> Result<()> {
    if !change.external && roster.leaves_gone(change) {
        return Err(commit_first());
    }
    let removed: BTreeSet<&Sender> = change.removed.iter().collect();
    for departed in &roster.departed {
        let stays = |device| !removed.contains(&Sender { account: departed.account, device });
        if !change.external && departed.devices.iter().copied().any(stays) {
            return Err(commit_first());
        }
        if change.added.iter().any(|new| new.account == departed.account) {
            return Err(Error::new(Code::BadRequest, "Who left is taken out by one commit, and let in by another."));
        }
    }
    Ok(())
}

/// What the directory says of the devices that come and go.
pub async fn devices(server: &Server, sender: Sender, roster: Option<&Roster>, done: &Done) -> Result<()> {
    joined(server, &done.joined).await?;
    if let Some(roster) = roster {
        removed(server, sender, roster, &done.change).await?;
    }
    Ok(())
}

async fn joined(server: &Server, joined: &[Credential]) -> Result<()> {
    let now_s = server.clock.now_ms() / 1_000;
    let accounts: BTreeSet<AccountId> = joined.iter().map(|new| new.account).collect();
    let keys: Vec<Key> = accounts.iter().map(|account| Key::new(Table::Account, account.as_bytes(), [])).collect();
    let rows = server.store.get_many(&keys).await?;
    let mut identities: BTreeMap<AccountId, [u8; 32]> = BTreeMap::new();
    for (account, row) in accounts.into_iter().zip(rows) {
        let row = row.map(|bytes| stored::decode::<Account>(Table::Account, bytes)).transpose()?;
        if let Some(key) = row.and_then(|row| row.value.identity_key) {
            identities.insert(account, *key);
        }
    }
    let device = |new: &Credential| Key::new(Table::Device, new.account.as_bytes(), new.device.as_bytes());
    let exists = server.store.get_many(&joined.iter().map(device).collect::<Vec<_>>()).await?;
    let published: Vec<Key> = joined.iter().map(|new| credential::key(new.device)).collect();
    let published = server.store.get_many(&published).await?;
    for ((new, exists), published) in joined.iter().zip(exists).zip(published) {
        if exists.is_none() {
            return Err(Error::new(Code::NoDevice, "A device that is added does not exist any more."));
        }
        let known = published.is_some_and(|bytes| bytes[..] == *new.as_bytes())
            && identities.get(&new.account) == Some(&new.identity_key);
        if !known || new.not_after_s <= now_s {
            return Err(Error::new(Code::InvalidKey, "A device is added with another credential than it published."));
        }
    }
    Ok(())
}

/// Devices of somebody who stays are theirs to remove, as long as they are logged in.
async fn removed(server: &Server, sender: Sender, roster: &Roster, change: &Change) -> Result<()> {
    let removed: BTreeSet<&Sender> = change.removed.iter().collect();
    let added: BTreeSet<&Sender> = change.added.iter().collect();
    let rules = change.rules.as_ref().or(roster.rules.as_ref());
    let stays = |account: AccountId| {
        let member = roster.member(account);
        let has_leaf = |device| !removed.contains(&Sender { account, device });
        member.is_some_and(|member| member.devices.iter().copied().any(has_leaf))
            || added.iter().any(|new| new.account == account)
            || rules.is_some_and(|rules| rules.away.contains(&account))
    };
    let theirs = change
        .removed
        .iter()
        .filter(|gone| gone.account != sender.account && !added.contains(gone) && stays(gone.account));
    let keys: Vec<Key> =
        theirs.map(|gone| Key::new(Table::Device, gone.account.as_bytes(), gone.device.as_bytes())).collect();
    if server.store.get_many(&keys).await?.iter().any(Option::is_some) {
        let detail = "A device of somebody who stays is removed once it is logged out.";
        return Err(Error::new(Code::Forbidden, detail));
    }
    Ok(())
}
