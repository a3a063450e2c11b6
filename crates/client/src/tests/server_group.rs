//! Groups on the server in memory: the public MLS group says who is in, the rule book what they may do.

use openmls::group::ProposalStore;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, ProcessedMessageContent, ProtocolMessage,
    PublicGroup, RatchetTreeIn,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::credential::Credential;
use tidings_proto::entry::Sender;
use tidings_proto::frame::Commit;
use tidings_proto::group::{self, Denied, EXTENSION_TYPE, GroupRules, Leaf, LeaveProof, Leaves};
use tidings_proto::http::GroupInfo;
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;

/// A group's public state, as what it is made of: it is made anew from that each time.
#[derive(Clone, Default)]
pub struct TestGroup {
    origin: Vec<u8>,
    commits: Vec<TestCommit>,
    /// Who left and still has leaves.
    pub left: BTreeMap<AccountId, LeaveProof>,
    /// First and last seq that an account may read; members have no last one.
    pub reach: BTreeMap<AccountId, (u64, Option<u64>)>,
    pub requests: BTreeSet<AccountId>,
    /// Trees as of a commit are not given out.
    pub forgetful: bool,
}

#[derive(Clone)]
struct TestCommit {
    id: MessageId,
    payload: Payload,
    group_info: Payload,
    seq: u64,
}

fn message(bytes: &[u8]) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact(bytes).unwrap().extract()
}

impl TestGroup {
    pub fn new(origin: &Payload) -> Self {
        Self { origin: origin.as_slice().to_vec(), ..Self::default() }
    }

    /// As of so many commits.
    fn public(&self, commits: usize) -> PublicGroup {
        let provider = OpenMlsRustCrypto::default();
        let MlsMessageBodyIn::GroupInfo(info) = message(&self.origin) else { panic!("an origin") };
        let tree = info.extensions().ratchet_tree().unwrap().ratchet_tree().clone();
        let (mut group, _) =
            PublicGroup::from_external(provider.crypto(), provider.storage(), tree, info, ProposalStore::new())
                .unwrap();
        for commit in &self.commits[..commits] {
            Self::apply(&mut group, &provider, commit.payload.as_slice()).unwrap();
        }
        group
    }

    fn apply(group: &mut PublicGroup, provider: &OpenMlsRustCrypto, payload: &[u8]) -> Result<(), String> {
        let MlsMessageBodyIn::PublicMessage(message) = message(payload) else { return Err("no commit".into()) };
        let message = ProtocolMessage::from(message);
        let processed = group.process_message(provider.crypto(), message).map_err(|error| format!("{error:?}"))?;
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err("no commit".into());
        };
        group.merge_commit(provider.storage(), *staged).map_err(|error| format!("{error:?}"))
    }

    fn now(&self) -> PublicGroup {
        self.public(self.commits.len())
    }

    pub fn rules(&self) -> GroupRules {
        rules(&self.now())
    }

    /// Everybody with a leaf, and those without a device, except those who left.
    pub fn members(&self) -> BTreeSet<AccountId> {
        let group = self.now();
        let accounts = leaves(&group).into_keys().chain(rules(&group).away);
        accounts.filter(|account| !self.left.contains_key(account)).collect()
    }

    pub fn verifies(&self, conversation: ConversationId, proof: &LeaveProof) -> bool {
        let leaves = leaves(&self.now());
        let leaf = leaves.get(&proof.sender.account).and_then(|devices| devices.get(&proof.sender.device));
        leaf.is_some_and(|leaf| proof.verifies(conversation, leaf))
    }

    /// Takes a commit, or says why not.
    pub fn take(&mut self, author: Sender, commit: &Commit, seq: u64, now_ms: u64) -> Result<(), Code> {
        let provider = OpenMlsRustCrypto::default();
        let mut group = self.now();
        let change = &commit.change;
        if change.create.is_none() {
            let (before, leaves) = (rules(&group), leaves(&group));
            group::check(commit.conversation, &before, &leaves, author, change, now_ms / 1_000).map_err(code)?;
        }
        if !change.external {
            let stays = |who: &AccountId| !change.removed.iter().any(|device| device.account == *who);
            if self.left.keys().any(stays) {
                return Err(Code::CommitFirst);
            }
        }
        let before = group.group_context().extensions().clone();
        Self::apply(&mut group, &provider, commit.payload.as_slice()).map_err(|why| {
            eprintln!("the commit does not verify: {why}");
            Code::BadRequest
        })?;
        let changed = *group.group_context().extensions() != before;
        assert!(changed == change.rules.is_some() || change.create.is_some(), "rules as declared");
        let MlsMessageBodyIn::GroupInfo(info) = message(commit.group_info.as_slice()) else { panic!("a GroupInfo") };
        assert!(info.extensions().ratchet_tree().is_none() && info.extensions().external_pub().is_some());
        assert_eq!(info.epoch().as_u64(), commit.epoch + 1);
        self.commits.push(TestCommit {
            id: commit.message_id,
            payload: commit.payload.clone(),
            group_info: commit.group_info.clone(),
            seq,
        });
        let with_leaves = leaves(&group);
        self.left.retain(|account, _| with_leaves.contains_key(account));
        let members = self.members();
        for account in &members {
            let reach = self.reach.entry(*account).or_insert((seq + 1, None));
            if reach.1.is_some() {
                *reach = (seq + 1, None);
            }
        }
        if change.create.is_some() {
            self.reach.insert(author.account, (1, None));
        }
        for (account, reach) in &mut self.reach {
            if !members.contains(account) && reach.1.is_none() {
                reach.1 = Some(seq);
            }
        }
        self.requests.retain(|account| !members.contains(account));
        Ok(())
    }

    /// The newest, or as of a commit.
    pub fn info(&self, commit: Option<MessageId>) -> Option<GroupInfo> {
        let index = match commit {
            Some(_) if self.forgetful => return None,
            Some(id) => self.commits.iter().position(|commit| commit.id == id)?,
            None => self.commits.len() - 1,
        };
        let TestCommit { seq, group_info, .. } = self.commits[index].clone();
        let group = self.public(index + 1);
        let tree = group.export_ratchet_tree().tls_serialize_detached().unwrap();
        RatchetTreeIn::tls_deserialize_exact(&tree).unwrap();
        let epoch = group.group_context().epoch().as_u64();
        Some(GroupInfo { epoch, commit_seq: seq, group_info, tree: Some(tree.into()), gone: vec![] })
    }
}

fn rules(group: &PublicGroup) -> GroupRules {
    GroupRules::decode(&group.group_context().extensions().unknown(EXTENSION_TYPE).unwrap().0).unwrap()
}

fn leaves(group: &PublicGroup) -> Leaves {
    let mut leaves = Leaves::new();
    for member in group.members() {
        let bytes = BasicCredential::try_from(member.credential).unwrap().identity().to_vec();
        let credential = Credential::verify(&bytes).unwrap();
        let leaf = Leaf { signature_key: credential.signature_key, encryption_key: member.encryption_key };
        leaves.entry(credential.account).or_default().insert(credential.device, leaf);
    }
    leaves
}

pub fn code(denied: Denied) -> Code {
    match denied {
        Denied::ApprovalNeeded => Code::ApprovalNeeded,
        _ => Code::Forbidden,
    }
}
