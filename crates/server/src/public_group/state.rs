//! One group as its commits left it.

use super::effect::{self, Author, Verified, check_declared, sender};
use super::storage::Nothing;
use super::{Refusal, codec, group_info};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{ProcessedMessageContent, PublicGroup, Sender as MlsSender, StagedCommit};
use openmls::treesync::LeafNodeSource;
use openmls_rust_crypto::RustCrypto;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, ConversationKind, Sender};
use tidings_proto::frame::Commit;
use tidings_proto::group::{self, GroupRules, Leaf, Leaves};
use tidings_proto::id::ConversationId;
use tidings_proto::limit::GROUP_DEVICES_MAX;

static CRYPTO: LazyLock<RustCrypto> = LazyLock::new(RustCrypto::default);

#[derive(Debug)]
pub struct PublicState {
    conversation: ConversationId,
    group: PublicGroup,
    rules: GroupRules,
    /// Who has which leaf.
    seats: BTreeMap<u32, Credential>,
}

impl PublicState {
    /// The group of epoch 0 that a first commit starts from: its creator's leaf, and rules that make the creator its only
    /// admin.
    pub fn begin(conversation: ConversationId, creator: Sender, commit: &Commit) -> Result<Self, Refusal> {
        let origin = commit.origin.as_ref().ok_or_else(|| Refusal::invalid("a group's first commit has an origin"))?;
        let info = codec::group_info(origin.as_slice())?;
        let tree = info.extensions().ratchet_tree().map(|tree| tree.ratchet_tree().clone());
        let tree = tree.ok_or_else(|| Refusal::invalid("the origin has its ratchet tree"))?;
        let group = codec::public_group(&CRYPTO, conversation, info, tree)?;
        let state = Self::of(conversation, group)?;
        let leaf = state.group.treesync().full_leaves().next();
        let open = leaf.is_some_and(|(_, leaf)| {
            matches!(leaf.leaf_node_source(), LeafNodeSource::KeyPackage(life) if life.not_after() == u64::MAX)
        });
        let alone = state.seats.len() == 1 && state.seats.values().all(|seat| sender(seat) == creator);
        if !alone || !open || state.group.group_context().epoch().as_u64() != 0 {
            return Err(Refusal::invalid("the origin is a new group with its creator's leaf"));
        }
        if commit.change.rules.as_ref() != Some(&state.rules) {
            return Err(Refusal::Undeclared("the rules"));
        }
        if state.rules.admins != [creator.account] || !state.rules.away.is_empty() {
            return Err(Refusal::invalid(
                "the creator of a group is its first admin, the only one, and nobody is away",
            ));
        }
        Ok(state)
    }

    /// As the rows of a commit have it.
    pub fn load(conversation: ConversationId, group_info: &[u8], tree: &[u8]) -> Result<Self, Refusal> {
        let load = || {
            let (info, tree) = (codec::group_info(group_info)?, codec::tree(tree)?);
            Self::of(conversation, codec::public_group(&CRYPTO, conversation, info, tree)?)
        };
        load().map_err(|error: Refusal| Refusal::Damaged(error.to_string()))
    }

    fn of(conversation: ConversationId, group: PublicGroup) -> Result<Self, Refusal> {
        let rules = codec::rules(group.group_context().extensions())?;
        let mut state = Self { conversation, group, rules, seats: BTreeMap::new() };
        state.take_seats(HashMap::new())?;
        Ok(state)
    }

    /// Whether a commit verifies, does what it declares and keeps the rules. Changes nothing.
    pub fn verify(&self, author: Sender, commit: &Commit, now_s: u64) -> Result<Verified, Refusal> {
        let message = codec::commit(commit.payload.as_slice())?;
        let processed = self.group.process_message(&*CRYPTO, message).map_err(Refusal::invalid)?;
        let by = match processed.sender() {
            MlsSender::Member(index) => Author::Member(*index),
            MlsSender::NewMemberCommit => Author::Joiner,
            _ => return Err(Refusal::invalid("its author is neither a member nor a joiner")),
        };
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(Refusal::invalid("it is no commit"));
        };
        let mut done = effect::read(&self.seats, author, by, &staged)?;
        let declared = &commit.change;
        if self.seats.len() + done.change.added.len() > GROUP_DEVICES_MAX + done.change.removed.len() {
            return Err(Refusal::Invalid(format!("a group has at most {GROUP_DEVICES_MAX} devices")));
        }
        let creates = declared.create == Some(ConversationKind::Group);
        if creates && done.change.rules.is_some() {
            return Err(Refusal::invalid("a new group has its rules from its origin"));
        }
        check_declared(declared, &done.change, creates.then_some(author))?;
        done.change.invite.clone_from(&declared.invite);
        done.change.left.clone_from(&declared.left);
        group::check(self.conversation, &self.rules, &self.leaves_for(&done.change), author, &done.change, now_s)?;
        let confirmation_tag = self.check_group_info(commit, by, &staged, &done)?;
        Ok(Verified { staged: *staged, done, confirmation_tag })
    }

    fn check_group_info(
        &self,
        commit: &Commit,
        by: Author,
        staged: &StagedCommit,
        done: &effect::Done,
    ) -> Result<Vec<u8>, Refusal> {
        let (leaf, key) = match (by, &done.renewed, done.joined.first()) {
            (Author::Member(index), Some(new), _) => (index, new.signature_key),
            (Author::Member(index), None, _) => (index, self.seats[&index.u32()].signature_key),
            (Author::Joiner, _, Some(new)) => {
                (self.group.ext_commit_sender_index(staged).map_err(Refusal::invalid)?, new.signature_key)
            }
            (Author::Joiner, _, None) => return Err(Refusal::invalid("an external commit joins its author's device")),
        };
        let context = staged.group_context().tls_serialize_detached().map_err(Refusal::invalid)?;
        group_info::check(commit.group_info.as_slice(), &context, leaf.u32(), &key)
    }

    /// Takes a commit in. After an error this state is of no use any more.
    pub fn apply(&mut self, verified: Verified) -> Result<(), Refusal> {
        let Verified { staged, done, confirmation_tag } = verified;
        self.group.merge_commit(&Nothing, staged).map_err(Refusal::invalid)?;
        let tag = self.group.confirmation_tag().tls_serialize_detached().map_err(Refusal::invalid)?;
        // A length prefix comes before it.
        if tag.get(1..) != Some(&confirmation_tag[..]) {
            return Err(Refusal::invalid("the GroupInfo has another confirmation tag than the commit"));
        }
        let fresh = done.joined.into_iter().chain(done.renewed);
        self.take_seats(fresh.map(|credential| (credential.as_bytes().to_vec(), credential)).collect())?;
        if let Some(rules) = done.change.rules {
            self.rules = rules;
        }
        Ok(())
    }

    /// Reads the leaves anew; `known`: credentials that were verified already, besides those that have a seat.
    fn take_seats(&mut self, mut known: HashMap<Vec<u8>, Credential>) -> Result<(), Refusal> {
        let before = std::mem::take(&mut self.seats);
        known.extend(before.into_values().map(|credential| (credential.as_bytes().to_vec(), credential)));
        let mut devices = BTreeSet::new();
        for member in self.group.members() {
            let credential = match known.remove(&codec::credential_bytes(&member.credential)?) {
                Some(known) if known.signature_key == member.signature_key[..] => known,
                _ => codec::credential(&member.credential, &member.signature_key)?,
            };
            if !devices.insert(sender(&credential)) {
                return Err(Refusal::invalid("a device is in the group twice"));
            }
            self.seats.insert(member.index.u32(), credential);
        }
        Ok(())
    }

    /// The tree, as it is stored and as joiners get it.
    pub fn tree(&self) -> Result<Vec<u8>, Refusal> {
        codec::tree_bytes(&self.group)
    }

    pub fn rules(&self) -> &GroupRules {
        &self.rules
    }

    /// The keys of one device's leaf.
    pub fn leaf(&self, device: Sender) -> Option<Leaf> {
        let (index, seat) = self.seats.iter().find(|(_, seat)| sender(seat) == device)?;
        let member = self.group.members().find(|member| member.index.u32() == *index)?;
        Some(Leaf { signature_key: seat.signature_key, encryption_key: member.encryption_key })
    }

    /// The leaves as the rule book wants them. Their encryption keys matter only to proofs of leaving.
    fn leaves_for(&self, change: &Change) -> Leaves {
        let left: BTreeSet<Sender> = change.left.iter().map(|proof| proof.sender).collect();
        let mut leaves = Leaves::new();
        for seat in self.seats.values() {
            let device = sender(seat);
            let encryption_key = match left.contains(&device) {
                true => self.leaf(device).map(|leaf| leaf.encryption_key).unwrap_or_default(),
                false => Vec::new(),
            };
            let leaf = Leaf { signature_key: seat.signature_key, encryption_key };
            leaves.entry(device.account).or_default().insert(device.device, leaf);
        }
        leaves
    }
}
