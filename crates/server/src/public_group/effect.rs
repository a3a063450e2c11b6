//! What a commit does, by MLS's own account.

use super::{Refusal, codec};
use openmls::prelude::tls_codec::Size as _;
use openmls::prelude::{LeafNode, LeafNodeIndex, Proposal, StagedCommit};
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, Sender};

/// An X-Wing leaf with our credential has 1.6 KB; what others put into theirs has an end.
const LEAF_MAX_BYTES: usize = 3 * 1024;

/// A commit that was found good, and was not taken in yet.
#[derive(Debug)]
pub struct Verified {
    pub(super) staged: StagedCommit,
    pub done: Done,
    /// As the GroupInfo beside it says; the group's after the merge.
    pub(super) confirmation_tag: Vec<u8>,
}

/// What a commit does.
#[derive(Debug)]
pub struct Done {
    /// With the proofs that were declared beside the commit.
    pub change: Change,
    /// Credentials of the devices that it adds.
    pub joined: Vec<Credential>,
    /// The author's new credential, if its leaf got new keys.
    pub(super) renewed: Option<Credential>,
}

/// Who made a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    Member(LeafNodeIndex),
    /// By external commit.
    Joiner,
}

pub(super) fn sender(credential: &Credential) -> Sender {
    Sender { account: credential.account, device: credential.device }
}

pub(super) fn read(
    seats: &BTreeMap<u32, Credential>,
    author: Sender,
    by: Author,
    staged: &StagedCommit,
) -> Result<Done, Refusal> {
    let path = staged.update_path_leaf_node().map(leaf).transpose()?;
    let mut done = Done {
        change: Change { external: by == Author::Joiner, ..Change::default() },
        joined: Vec::new(),
        renewed: None,
    };
    match (by, path) {
        (Author::Member(index), path) => {
            let seat = seats.get(&index.u32()).filter(|seat| sender(seat) == author);
            let seat = seat.ok_or_else(|| Refusal::invalid("its author is another device"))?;
            if path.as_ref().is_some_and(|new| sender(new) != author || new.identity_key != seat.identity_key) {
                return Err(Refusal::invalid("a leaf would change hands"));
            }
            done.renewed = path;
        }
        (Author::Joiner, Some(new)) if sender(&new) == author => {
            done.change.added.push(author);
            done.joined.push(new);
        }
        (Author::Joiner, _) => return Err(Refusal::invalid("an external commit joins its author's device")),
    }
    proposals(seats, by, staged, &mut done)?;
    check_unique(seats, &done)?;
    Ok(done)
}

/// No other proposal has a use here, so no other is accepted.
fn proposals(
    seats: &BTreeMap<u32, Credential>,
    by: Author,
    staged: &StagedCommit,
    done: &mut Done,
) -> Result<(), Refusal> {
    for queued in staged.queued_proposals() {
        match (queued.proposal(), by) {
            (Proposal::Add(add), Author::Member(_)) => {
                let package = add.key_package();
                // OpenMLS judges lifetimes by the machine's clock whenever it reads a tree: one that ends would end the group.
                if package.life_time().not_after() != u64::MAX {
                    return Err(Refusal::invalid("a leaf's lifetime ends"));
                }
                let new = leaf(package.leaf_node())?;
                done.change.added.push(sender(&new));
                done.joined.push(new);
            }
            (Proposal::Remove(remove), _) => {
                let gone = seats.get(&remove.removed().u32());
                let gone = gone.ok_or_else(|| Refusal::invalid("it removes a leaf that is not there"))?;
                done.change.removed.push(sender(gone));
            }
            (Proposal::GroupContextExtensions(new), Author::Member(_)) => {
                done.change.rules = Some(codec::rules(new.extensions())?);
            }
            (Proposal::ExternalInit(_), Author::Joiner) => {}
            (other, _) => return Err(Refusal::invalid(format!("a proposal of type {:?}", other.proposal_type()))),
        }
    }
    Ok(())
}

/// Each device has one leaf at most.
fn check_unique(seats: &BTreeMap<u32, Credential>, done: &Done) -> Result<(), Refusal> {
    let mut present: BTreeSet<Sender> = seats.values().map(sender).collect();
    for gone in &done.change.removed {
        present.remove(gone);
    }
    if done.change.added.iter().all(|new| present.insert(*new)) {
        Ok(())
    } else {
        Err(Refusal::invalid("a device would be in the group twice"))
    }
}

/// Compares what is declared with what is done. `create`: the creator has its leaf already, and is declared all the same.
pub(super) fn check_declared(declared: &Change, done: &Change, creator: Option<Sender>) -> Result<(), Refusal> {
    let set = |list: &[Sender]| list.iter().copied().collect::<BTreeSet<Sender>>();
    let mut added = set(&done.added);
    added.extend(creator);
    if set(&declared.added) != added || declared.added.len() != added.len() {
        return Err(Refusal::Undeclared("who is added"));
    }
    if set(&declared.removed) != set(&done.removed) || declared.removed.len() != done.removed.len() {
        return Err(Refusal::Undeclared("who is removed"));
    }
    if declared.external != done.external {
        return Err(Refusal::Undeclared("whether it is external"));
    }
    if creator.is_none() && declared.rules != done.rules {
        return Err(Refusal::Undeclared("the rules"));
    }
    Ok(())
}

fn leaf(leaf: &LeafNode) -> Result<Credential, Refusal> {
    if leaf.tls_serialized_len() > LEAF_MAX_BYTES {
        return Err(Refusal::invalid("a leaf is too large"));
    }
    codec::credential(leaf.credential(), leaf.signature_key().as_slice())
}
