//! MLS of devices, as real as the clients', kept in memory: for groups, whose commits the server looks into. The unit
//! tests of `public_group` use it too.

#![expect(dead_code, reason = "each of the two users leaves something out")]

use ed25519_dalek::{Signer as _, SigningKey};
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _, VLBytes};
use openmls::prelude::{
    ApplicationIdExtension, BasicCredential, Capabilities, Ciphersuite, CommitMessageBundle, CredentialType,
    CredentialWithKey, Extension, ExtensionType, Extensions, GroupContext, GroupId, JoinBuilder, KeyPackage,
    KeyPackageRef, LeafNodeIndex, LeafNodeParameters, Lifetime, MlsGroup, MlsGroupJoinConfig, MlsMessageBodyIn,
    MlsMessageIn, MlsMessageOut, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, ProcessedMessageContent, ProcessedWelcome,
    Proposal, ProtocolVersion, RatchetTreeIn, RequiredCapabilitiesExtension, UnknownExtension,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, ConversationKind, Sender};
use tidings_proto::frame::{Commit, Welcome};
use tidings_proto::group::{EXTENSION_TYPE, GroupRules, JoinProof, LeaveProof};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};

pub const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;

/// One device, in one group at most.
pub struct MlsDevice {
    pub sender: Sender,
    pub credential: Credential,
    keys: Keys,
    provider: OpenMlsRustCrypto,
    pub group: Option<MlsGroup>,
}

struct Keys(SigningKey);

impl Signer for Keys {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// What a commit shall do.
#[derive(Default)]
pub struct Intent {
    pub add: Vec<KeyPackage>,
    pub remove: Vec<Sender>,
    pub rules: Option<GroupRules>,
}

/// The identity key of an account.
pub fn identity(account: AccountId) -> SigningKey {
    let mut seed = [7; 32];
    seed[..16].copy_from_slice(account.as_bytes());
    SigningKey::from_bytes(&seed)
}

pub fn context(rules: &GroupRules) -> Extensions<GroupContext> {
    let required = RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(EXTENSION_TYPE)], &[], &[]);
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::Unknown(EXTENSION_TYPE, UnknownExtension(rules.encode())),
    ])
    .unwrap()
}

fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE]),
        Some(&[ExtensionType::LastResort, ExtensionType::Unknown(EXTENSION_TYPE)]),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .build()
}

/// From an hour ago, with an open end.
pub fn lifetime() -> Lifetime {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Lifetime::init(now - 3_600, u64::MAX)
}

pub fn group_id(conversation: ConversationId) -> GroupId {
    GroupId::from_slice(&[conversation.as_bytes().as_slice(), &[0; 4]].concat())
}

impl MlsDevice {
    pub fn new(sender: Sender) -> Self {
        Self::with_identity(sender, &identity(sender.account))
    }

    pub fn with_identity(sender: Sender, identity: &SigningKey) -> Self {
        let mut seed = [9; 32];
        seed[..16].copy_from_slice(sender.device.as_bytes());
        let key = SigningKey::from_bytes(&seed);
        let credential =
            Credential::issue(identity, sender.account, sender.device, key.verifying_key().to_bytes(), u64::MAX / 2);
        Self { sender, credential, keys: Keys(key), provider: OpenMlsRustCrypto::default(), group: None }
    }

    fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.credential.as_bytes().to_vec()).into(),
            signature_key: self.credential.signature_key.to_vec().into(),
        }
    }

    pub fn key_package(&self) -> KeyPackage {
        self.key_package_until(lifetime())
    }

    pub fn key_package_until(&self, lifetime: Lifetime) -> KeyPackage {
        let builder = KeyPackage::builder().key_package_lifetime(lifetime).leaf_node_capabilities(capabilities());
        let bundle = builder.build(SUITE, &self.provider, &self.keys, self.credential_with_key()).unwrap();
        bundle.key_package().clone()
    }

    /// Its leaf has some kilobytes of nothing.
    pub fn large_key_package(&self) -> KeyPackage {
        let nothing = Extension::ApplicationId(ApplicationIdExtension::new(&[0; 4_000]));
        let builder = KeyPackage::builder()
            .key_package_lifetime(lifetime())
            .leaf_node_capabilities(capabilities())
            .leaf_node_extensions(Extensions::single(nothing).unwrap());
        let bundle = builder.build(SUITE, &self.provider, &self.keys, self.credential_with_key()).unwrap();
        bundle.key_package().clone()
    }

    /// A new group of this device; the commit that makes it a conversation is merged already.
    pub fn create(&mut self, conversation: ConversationId, rules: &GroupRules, add: Vec<KeyPackage>) -> Commit {
        let group = MlsGroup::builder()
            .with_group_id(group_id(conversation))
            .ciphersuite(SUITE)
            .with_capabilities(capabilities())
            .lifetime(lifetime())
            .with_wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(0)
            .number_of_resumption_psks(0)
            .use_ratchet_tree_extension(false)
            .with_group_context_extensions(context(rules))
            .build(&self.provider, &self.keys, self.credential_with_key())
            .unwrap();
        let origin = group.export_group_info(self.provider.crypto(), &self.keys, true).unwrap();
        self.group = Some(group);
        let mut commit = self.commit(conversation, Intent { add, ..Intent::default() });
        commit.change.create = Some(ConversationKind::Group);
        commit.change.added.insert(0, self.sender);
        commit.change.rules = Some(rules.clone());
        commit.origin = Some(origin.to_bytes().unwrap().into());
        self.merge();
        commit
    }

    /// A commit, which is pending.
    pub fn commit(&mut self, conversation: ConversationId, intent: Intent) -> Commit {
        let group = self.group.as_mut().unwrap();
        let epoch = group.epoch().as_u64();
        let leaves: Vec<LeafNodeIndex> = intent.remove.iter().map(|gone| leaf_of(group, *gone)).collect();
        let reference = |package: &KeyPackage| (owner(package), package.hash_ref(self.provider.crypto()).unwrap());
        let joiners: Vec<(Sender, KeyPackageRef)> = intent.add.iter().map(reference).collect();
        let added: Vec<Sender> = joiners.iter().map(|(joiner, _)| *joiner).collect();
        let mut builder = group
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(true)
            .propose_adds(intent.add)
            .propose_removals(leaves);
        if let Some(rules) = &intent.rules {
            builder = builder.propose_group_context_extensions(context(rules)).unwrap();
        }
        let messages = builder
            .load_psks(self.provider.storage())
            .unwrap()
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build(self.provider.rand(), self.provider.crypto(), &self.keys, |_| true)
            .unwrap()
            .stage_commit(&self.provider)
            .unwrap();
        let change = Change { added, removed: intent.remove, rules: intent.rules, ..Change::default() };
        bundle(conversation, epoch, change, &joiners, messages)
    }

    /// An external commit, which is merged already: a commit that loses is followed by another attempt.
    pub fn join_by_commit(
        &mut self,
        conversation: ConversationId,
        info: &[u8],
        tree: &[u8],
        invite: Option<JoinProof>,
    ) -> Commit {
        let MlsMessageBodyIn::GroupInfo(info) = MlsMessageIn::tls_deserialize_exact(info).unwrap().extract() else {
            panic!("no group info")
        };
        if let Some(mut old) = self.group.take() {
            old.delete(self.provider.storage()).unwrap();
        }
        let epoch = info.epoch().as_u64();
        let mut removed = Vec::new();
        let (group, messages) = MlsGroup::external_commit_builder()
            .with_config(join_config())
            .skip_lifetime_validation()
            .with_ratchet_tree(RatchetTreeIn::tls_deserialize_exact(tree).unwrap())
            .build_group(&self.provider, info, self.credential_with_key())
            .unwrap()
            .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities()).build())
            .load_psks(self.provider.storage())
            .unwrap()
            .create_group_info(true)
            .use_ratchet_tree_extension(false)
            .build(self.provider.rand(), self.provider.crypto(), &self.keys, |queued| {
                removed.extend(matches!(queued.proposal(), Proposal::Remove(_)).then_some(self.sender));
                true
            })
            .unwrap()
            .finalize(&self.provider)
            .unwrap();
        self.group = Some(group);
        let change = Change { added: vec![self.sender], removed, external: true, invite, ..Change::default() };
        bundle(conversation, epoch, change, &[], messages)
    }

    /// Joins by a welcome, with the tree of the server.
    pub fn join(&mut self, welcome: &[u8], tree: &[u8]) {
        let MlsMessageBodyIn::Welcome(welcome) = MlsMessageIn::tls_deserialize_exact(welcome).unwrap().extract() else {
            panic!("no welcome")
        };
        let processed = ProcessedWelcome::new_from_welcome(&self.provider, &join_config(), welcome).unwrap();
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).unwrap();
        let staged = JoinBuilder::new(&self.provider, processed).with_ratchet_tree(tree).build().unwrap();
        self.group = Some(staged.into_group(&self.provider).unwrap());
    }

    pub fn merge(&mut self) {
        self.group.as_mut().unwrap().merge_pending_commit(&self.provider).unwrap();
    }

    pub fn drop_pending(&mut self) {
        self.group.as_mut().unwrap().clear_pending_commit(self.provider.storage()).unwrap();
    }

    /// Takes somebody else's commit in.
    pub fn process(&mut self, payload: &[u8]) {
        let message = MlsMessageIn::tls_deserialize_exact(payload).unwrap().try_into_protocol_message().unwrap();
        let group = self.group.as_mut().unwrap();
        let processed = group.process_message(&self.provider, message).unwrap();
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            panic!("no commit")
        };
        group.merge_staged_commit(&self.provider, *staged).unwrap();
    }

    pub fn epoch(&self) -> u64 {
        self.group.as_ref().unwrap().epoch().as_u64()
    }

    /// Shows that this device's account leaves.
    pub fn leave_proof(&self, conversation: ConversationId) -> LeaveProof {
        let group = self.group.as_ref().unwrap();
        let own = group.members().find(|member| member.index == group.own_leaf_index()).unwrap();
        let message = LeaveProof::message(conversation, self.sender, &own.encryption_key);
        LeaveProof { sender: self.sender, signature: self.keys.0.sign(&message).to_bytes().to_vec().into() }
    }

    /// A signed GroupInfo of the group as it is.
    pub fn group_info(&self, with_tree: bool) -> Vec<u8> {
        let group = self.group.as_ref().unwrap();
        group.export_group_info(self.provider.crypto(), &self.keys, with_tree).unwrap().to_bytes().unwrap()
    }

    /// A proposal by itself, for which there is no use.
    pub fn removal_proposal(&mut self, gone: Sender) -> Vec<u8> {
        let group = self.group.as_mut().unwrap();
        let leaf = leaf_of(group, gone);
        group.propose_remove_member(&self.provider, &self.keys, leaf).unwrap().0.to_bytes().unwrap()
    }
}

fn leaf_of(group: &MlsGroup, device: Sender) -> LeafNodeIndex {
    let is_device = |credential: Credential| (credential.account, credential.device) == (device.account, device.device);
    let found = group.members().find(|member| {
        let basic = BasicCredential::try_from(member.credential.clone()).unwrap();
        is_device(Credential::verify(basic.identity()).unwrap())
    });
    found.unwrap().index
}

/// Whose key package this is.
pub fn owner(package: &KeyPackage) -> Sender {
    let basic = BasicCredential::try_from(package.leaf_node().credential().clone()).unwrap();
    let credential = Credential::verify(basic.identity()).unwrap();
    Sender { account: credential.account, device: credential.device }
}

fn bundle(
    conversation: ConversationId,
    epoch: u64,
    change: Change,
    joiners: &[(Sender, KeyPackageRef)],
    messages: CommitMessageBundle,
) -> Commit {
    let (commit, welcome, info) = messages.into_contents();
    Commit {
        conversation,
        message_id: MessageId::new(1_700_000_000_000, rand::random()),
        epoch,
        payload: commit.to_bytes().unwrap().into(),
        change,
        welcomes: welcome.map(|welcome| split(&welcome, joiners)).unwrap_or_default(),
        group_info: MlsMessageOut::from(info.unwrap()).to_bytes().unwrap().into(),
        origin: None,
    }
}

/// One welcome for each joiner, with its own secrets only (RFC 9420 section 12.4.3.1).
fn split(welcome: &openmls::prelude::Welcome, joiners: &[(Sender, KeyPackageRef)]) -> Vec<Welcome> {
    let bytes = welcome.tls_serialize_detached().unwrap();
    let (suite, mut rest) = bytes.split_at(2);
    VLBytes::tls_deserialize(&mut rest).unwrap();
    let one = |(joiner, reference): &(Sender, KeyPackageRef)| {
        let secrets = welcome.secrets().iter().find(|secrets| secrets.new_member() == *reference).unwrap();
        let secrets = VLBytes::new(secrets.tls_serialize_detached().unwrap()).tls_serialize_detached().unwrap();
        let payload = [&[0, 1, 0, 3], suite, &secrets, rest].concat().into();
        Welcome { account: joiner.account, device: joiner.device, payload }
    };
    joiners.iter().map(one).collect()
}

/// Somebody who is not signed in anywhere.
pub fn stranger(number: u8) -> Sender {
    Sender { account: AccountId::from_bytes([number; 16]), device: DeviceId::from_bytes([number ^ 0x80; 16]) }
}

/// The id of a new group.
pub fn group_conversation() -> ConversationId {
    ConversationId::group(rand::random())
}
