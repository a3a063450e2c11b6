//! Which groups and commits are accepted, beyond what MLS itself demands. OpenMLS leaves all of this to the application:
//! it accepts any credential, and the same one twice.

use super::error::MlsError;
use super::identity::sender;
use super::rules::of_context;
use openmls::prelude::{BasicCredential, Credential as LeafCredential, CredentialType, LeafNodeIndex, Proposal};
use openmls::prelude::{Member, MlsGroup, StagedCommit};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tidings_proto::credential::Credential;
use tidings_proto::entry::{ConversationKind, Sender};
use tidings_proto::group::GroupRules;
use tidings_proto::id::{AccountId, ConversationId};

/// Credentials whose signatures were checked, so that it is done once and not for each message.
#[derive(Default)]
pub(super) struct Verified(RefCell<HashMap<Vec<u8>, Credential>>);

/// Emptied when it is full: a bound, not a policy.
const VERIFIED_MAX: usize = 4_096;

impl Verified {
    /// The credential of a leaf, which must vouch for the leaf's signature key.
    pub fn check(&self, leaf: &LeafCredential, signature_key: &[u8]) -> Result<Credential, MlsError> {
        let credential = self.read(leaf)?;
        if credential.signature_key != signature_key {
            return Err(MlsError::invalid(format!(
                "{} has a key that its credential does not name",
                credential.device
            )));
        }
        Ok(credential)
    }

    /// The credential alone, of a leaf that was checked when it came in.
    pub fn read(&self, leaf: &LeafCredential) -> Result<Credential, MlsError> {
        if leaf.credential_type() != CredentialType::Basic {
            return Err(MlsError::invalid("a credential of an unknown type"));
        }
        let bytes = BasicCredential::try_from(leaf.clone()).map_err(MlsError::invalid)?.identity().to_vec();
        let mut known = self.0.borrow_mut();
        if let Some(credential) = known.get(&bytes) {
            return Ok(credential.clone());
        }
        let credential = Credential::verify(&bytes).map_err(MlsError::invalid)?;
        if known.len() >= VERIFIED_MAX {
            known.clear();
        }
        known.insert(bytes, credential.clone());
        Ok(credential)
    }
}

/// Which accounts may be in a conversation, as seen from one member's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub conversation: ConversationId,
    pub kind: ConversationKind,
    pub own: AccountId,
}

impl Rules {
    fn admits(&self, account: AccountId) -> bool {
        account == self.own
            || match self.kind {
                ConversationKind::Direct => ConversationId::direct(self.own, account) == self.conversation,
                ConversationKind::SelfChat => false,
                ConversationKind::Group => true,
            }
    }

    /// Every leaf is well-formed, admitted, and alone.
    pub fn check_members(
        &self,
        members: impl Iterator<Item = Member>,
        verified: &Verified,
    ) -> Result<Vec<Credential>, MlsError> {
        let mut seen = BTreeSet::new();
        let mut credentials = Vec::new();
        for member in members {
            let credential = verified.check(&member.credential, &member.signature_key)?;
            self.check_one(&credential)?;
            if !seen.insert(sender(&credential)) {
                return Err(MlsError::invalid(format!("{} is in the group twice", credential.device)));
            }
            credentials.push(credential);
        }
        Ok(credentials)
    }

    fn check_one(&self, credential: &Credential) -> Result<(), MlsError> {
        if self.admits(credential.account) {
            Ok(())
        } else {
            Err(MlsError::invalid(format!("{} does not belong into this conversation", credential.account)))
        }
    }
}

/// Who made a commit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Author {
    Member(LeafNodeIndex),
    /// By external commit.
    Joiner,
}

/// What a commit does, in people's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub author: Credential,
    pub added: Vec<Credential>,
    pub removed: Vec<Credential>,
    pub updated: Vec<Credential>,
    /// Of a group, from here on, if the commit changes them.
    pub rules: Option<GroupRules>,
}

/// Checks a commit against the group as it is before it.
pub(super) fn check_commit(
    group: &MlsGroup,
    staged: &StagedCommit,
    author: Author,
    rules: &Rules,
    verified: &Verified,
) -> Result<Effect, MlsError> {
    let before = leaves(group, verified)?;
    let Proposed { adds, removed, context } = proposals(staged, author, rules.kind, verified)?;
    let mut effect = Effect {
        author: author_after(&before, author, staged, verified)?,
        added: adds,
        removed: vec![],
        updated: vec![],
        rules: if context { Some(of_context(staged.group_context())?) } else { None },
    };
    for index in &removed {
        let gone = before.get(index).ok_or_else(|| MlsError::invalid("it removes a leaf that is not there"))?;
        effect.removed.push(gone.clone());
    }
    match author {
        Author::Member(index) => {
            let old = before.get(&index).ok_or_else(|| MlsError::invalid("its author is no member"))?;
            if staged.update_path_leaf_node().is_some() {
                check_same_owner(old, &effect.author)?;
                effect.updated.push(effect.author.clone());
            }
        }
        Author::Joiner => {
            if !effect.added.is_empty() || effect.removed.iter().any(|gone| sender(gone) != sender(&effect.author)) {
                return Err(MlsError::invalid("an external commit that does more than join"));
            }
            effect.added.push(effect.author.clone());
        }
    }
    check_after(&before, &removed, &effect, rules)?;
    Ok(effect)
}

/// The group as it will be has every device once, and nobody who does not belong into it.
fn check_after(
    before: &BTreeMap<LeafNodeIndex, Credential>,
    removed: &BTreeSet<LeafNodeIndex>,
    effect: &Effect,
    rules: &Rules,
) -> Result<(), MlsError> {
    let mut present: BTreeSet<Sender> =
        before.iter().filter(|(index, _)| !removed.contains(index)).map(|(_, credential)| sender(credential)).collect();
    for credential in &effect.added {
        rules.check_one(credential)?;
        if !present.insert(sender(credential)) {
            return Err(MlsError::invalid(format!("{} would be in the group twice", credential.device)));
        }
    }
    Ok(())
}

/// The author's credential after the commit.
fn author_after(
    before: &BTreeMap<LeafNodeIndex, Credential>,
    author: Author,
    staged: &StagedCommit,
    verified: &Verified,
) -> Result<Credential, MlsError> {
    match (staged.update_path_leaf_node(), author) {
        (Some(leaf), _) => verified.check(leaf.credential(), leaf.signature_key().as_slice()),
        (None, Author::Member(index)) => {
            before.get(&index).cloned().ok_or_else(|| MlsError::invalid("its author is no member"))
        }
        (None, Author::Joiner) => Err(MlsError::invalid("an external commit without a path")),
    }
}

/// A leaf may get new keys, never a new owner.
fn check_same_owner(old: &Credential, new: &Credential) -> Result<(), MlsError> {
    if sender(old) == sender(new) && old.identity_key == new.identity_key {
        Ok(())
    } else {
        Err(MlsError::invalid("a leaf would change hands"))
    }
}

/// What a commit's proposals are about.
struct Proposed {
    adds: Vec<Credential>,
    removed: BTreeSet<LeafNodeIndex>,
    /// The group's context, with the rules in it.
    context: bool,
}

/// Adds and removals, and new rules in a group. No other proposal has a use here, so no other is accepted.
fn proposals(
    staged: &StagedCommit,
    author: Author,
    kind: ConversationKind,
    verified: &Verified,
) -> Result<Proposed, MlsError> {
    let mut added = Vec::new();
    let mut removed = BTreeSet::new();
    let mut context = false;
    for queued in staged.queued_proposals() {
        match (queued.proposal(), author) {
            (Proposal::Add(add), Author::Member(_)) => {
                let leaf = add.key_package().leaf_node();
                added.push(verified.check(leaf.credential(), leaf.signature_key().as_slice())?);
            }
            (Proposal::Remove(remove), _) => {
                removed.insert(remove.removed());
            }
            (Proposal::ExternalInit(_), Author::Joiner) => {}
            (Proposal::GroupContextExtensions(_), Author::Member(_)) if kind == ConversationKind::Group && !context => {
                context = true;
            }
            (other, _) => {
                return Err(MlsError::invalid(format!("a proposal of type {:?}", other.proposal_type())));
            }
        }
    }
    Ok(Proposed { adds: added, removed, context })
}

fn leaves(group: &MlsGroup, verified: &Verified) -> Result<BTreeMap<LeafNodeIndex, Credential>, MlsError> {
    group.members().map(|member| Ok((member.index, verified.read(&member.credential)?))).collect()
}
