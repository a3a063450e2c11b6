//! Make, change and ask the group of a conversation.
//!
//! A conversation's MLS group id is the conversation's id and a generation, so that a conversation whose group is beyond
//! repair can go on in a successor group. Table `mls_group` says which one is in use.

use super::bundle::CommitBundle;
use super::error::MlsError;
use super::held::{Row, read_row};
use super::identity::sender;
use super::key_package::{Invitee, lifetime};
use super::policy::{self, Author, Effect, Rules};
use super::rules::{self, Declared, context_extensions};
use super::storage::Storage;
use super::{Mls, atomically};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialType, CredentialWithKey, ExtensionType, Extensions,
    GroupContext, GroupId, KeyPackage, LeafNodeIndex, MlsGroup, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
    ProtocolVersion, SenderRatchetConfiguration,
};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, ConversationKind, Sender};
use tidings_proto::group::{EXTENSION_TYPE, GroupRules, LeaveProof};
use tidings_proto::id::ConversationId;

/// 0x004F: X25519 with ML-KEM-768 (X-Wing), AES-128-GCM, SHA-256, Ed25519.
pub(super) const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;
/// Messages of one sender may be out of order by this many, and this many may be missing between two.
const OUT_OF_ORDER_MAX: u32 = 16;
const MISSING_MAX: u32 = 2_000;
/// Plaintexts are padded to a multiple of this.
const PADDING_BYTES: usize = 128;

/// Where a conversation's group stands on this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No group: take a welcome, or rejoin.
    Absent,
    /// Member. `pending`: an own commit for this epoch is not settled.
    Member { epoch: u64, pending: bool },
    /// An own external commit that leads to `epoch` is not settled.
    Joining { epoch: u64 },
    /// This device was removed.
    Removed,
}

/// What a commit that took effect did. Compare every identity key in here with the pinned ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The epoch that it led to.
    pub epoch: u64,
    pub author: Credential,
    /// Made by this device.
    pub own: bool,
    pub added: Vec<Credential>,
    pub removed: Vec<Credential>,
    /// Leaves with new keys, of the same owner.
    pub updated: Vec<Credential>,
    /// This device is not in the group any more.
    pub removed_self: bool,
    /// With `removed_self`, in a group: neither is this account; it is not even kept as a member without a device.
    pub expelled: bool,
    /// The group's rules from here on, if they changed.
    pub rules: Option<GroupRules>,
}

impl Committed {
    pub(super) fn new(epoch: u64, own: bool, removed_self: bool, effect: Effect) -> Self {
        let Effect { author, added, removed, updated, rules } = effect;
        Self { epoch, author, own, added, removed, updated, removed_self, expelled: false, rules }
    }
}

impl Mls {
    /// Makes the group of a new conversation, with the commit that adds everybody else: the log's first entry.
    /// `kind`: [`ConversationKind::Direct`] for the two accounts that the conversation's id follows from.
    pub fn create(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        kind: ConversationKind,
        invitees: &[Invitee<'_>],
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        self.create_with(connection, conversation, kind, Extensions::empty(), invitees, now_s)
    }

    /// The same for a group with rules, of which this account must be the only admin.
    pub fn create_group(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        rules: &GroupRules,
        invitees: &[Invitee<'_>],
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        let extensions = context_extensions(rules)?;
        let kind = ConversationKind::Group;
        let mut bundle = self.create_with(connection, conversation, kind, extensions, invitees, now_s)?;
        bundle.change.rules = Some(rules.clone());
        Ok(bundle)
    }

    fn create_with(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        kind: ConversationKind,
        context: Extensions<GroupContext>,
        invitees: &[Invitee<'_>],
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        atomically(connection, || {
            self.delete(connection, conversation)?;
            let group_id = group_id(conversation, 0);
            let group = MlsGroup::builder()
                .with_group_id(group_id.clone())
                .with_group_context_extensions(context)
                .ciphersuite(CIPHERSUITE)
                .with_capabilities(capabilities())
                .lifetime(lifetime(now_s))
                .with_wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
                .padding_size(PADDING_BYTES)
                .max_past_epochs(0)
                .number_of_resumption_psks(0)
                .use_ratchet_tree_extension(carries_tree(kind))
                .sender_ratchet_configuration(ratchet())
                .build(&self.provider(connection), &self.identity, self.credential_with_key())
                .map_err(MlsError::internal)?;
            let row = Row::new(group_id, kind);
            let origin = match kind {
                ConversationKind::Group => Some(self.origin(&group)?),
                ConversationKind::Direct | ConversationKind::SelfChat => None,
            };
            let mut bundle = self.commit(connection, conversation, row, group, Intent::Add(invitees), now_s)?;
            bundle.origin = origin;
            bundle.change.create = Some(kind);
            bundle.change.added.insert(0, self.identity.sender());
            Ok(bundle)
        })
    }

    /// The group as it begins, with its tree of one leaf: from there on the server follows it.
    fn origin(&self, group: &MlsGroup) -> Result<Vec<u8>, MlsError> {
        let info = group.export_group_info(&self.crypto, &self.identity, true).map_err(MlsError::internal)?;
        info.to_bytes().map_err(MlsError::internal)
    }

    /// Changes a group: all of it, or nothing.
    pub fn change_group(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        change: &GroupChange<'_>,
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        self.change(connection, conversation, Intent::Group(change), now_s)
    }

    /// Adds devices.
    pub fn add(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        invitees: &[Invitee<'_>],
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        self.change(connection, conversation, Intent::Add(invitees), now_s)
    }

    /// Removes other devices; those that are not in it are left out.
    pub fn remove(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        devices: &[Sender],
    ) -> Result<CommitBundle, MlsError> {
        self.change(connection, conversation, Intent::Remove(devices), 0)
    }

    /// New keys for this device's leaf: heals the group if they were stolen. Do it within a month of joining.
    pub fn self_update(&self, connection: &Connection, conversation: ConversationId) -> Result<CommitBundle, MlsError> {
        self.change(connection, conversation, Intent::Update, 0)
    }

    /// The own commit is in the log.
    pub fn merge_pending(&self, connection: &Connection, conversation: ConversationId) -> Result<Committed, MlsError> {
        atomically(connection, || {
            let row = read_row(connection, conversation)?.ok_or(MlsError::NoGroup)?;
            let mut group = self.open(connection, conversation, &row)?;
            let effect = if row.joining {
                // Whom it replaced is not known any more, and would be nobody but this device itself.
                let own = self.identity.credential.clone();
                Effect { author: own.clone(), added: vec![own], removed: vec![], updated: vec![], rules: None }
            } else {
                let staged = group.pending_commit().ok_or(MlsError::Replay)?;
                let author = Author::Member(group.own_leaf_index());
                let rules = self.rules(conversation, row.kind);
                let effect = policy::check_commit(&group, staged, author, &rules, &self.verified)?;
                group.merge_pending_commit(&self.provider(connection)).map_err(MlsError::internal)?;
                effect
            };
            let committed = Committed::new(group.epoch().as_u64(), true, false, effect);
            self.hold(connection, conversation, Row { joining: false, pending: None, ..row }, group)?;
            Ok(committed)
        })
    }

    /// The own commit will never be in the log. Without an own commit it does nothing.
    pub fn drop_pending(&self, connection: &Connection, conversation: ConversationId) -> Result<(), MlsError> {
        atomically(connection, || {
            let Some(row) = read_row(connection, conversation)? else { return Ok(()) };
            if row.joining {
                return self.delete(connection, conversation);
            }
            if row.pending.is_none() {
                return Ok(());
            }
            let mut group = self.open(connection, conversation, &row)?;
            if group.epoch().as_u64() == 0 {
                // A group that nobody else ever saw.
                return self.delete(connection, conversation);
            }
            group.clear_pending_commit(&Storage(connection))?;
            self.hold(connection, conversation, Row { pending: None, ..row }, group)
        })
    }

    pub fn state(&self, connection: &Connection, conversation: ConversationId) -> Result<State, MlsError> {
        let Some(row) = read_row(connection, conversation)? else { return Ok(State::Absent) };
        let group = match self.open(connection, conversation, &row) {
            Err(MlsError::NoGroup) => return Ok(State::Absent),
            group => group?,
        };
        let epoch = group.epoch().as_u64();
        let state = match (row.joining, group.is_active()) {
            (true, _) => State::Joining { epoch },
            (false, true) => State::Member { epoch, pending: row.pending.is_some() },
            (false, false) => State::Removed,
        };
        self.hand_back(conversation, &row, group);
        Ok(state)
    }

    /// The epoch that a message sent now must name.
    pub fn epoch(&self, connection: &Connection, conversation: ConversationId) -> Result<u64, MlsError> {
        self.ask(connection, conversation, |group| Ok(group.epoch().as_u64()))
    }

    /// Everybody in it, this device too.
    pub fn members(&self, connection: &Connection, conversation: ConversationId) -> Result<Vec<Credential>, MlsError> {
        self.ask(connection, conversation, |group| {
            group.members().map(|member| self.verified.read(&member.credential)).collect()
        })
    }

    /// The same on every member's device, and only there, as long as they agree on everything: for comparing.
    pub fn epoch_authenticator(
        &self,
        connection: &Connection,
        conversation: ConversationId,
    ) -> Result<Vec<u8>, MlsError> {
        self.ask(connection, conversation, |group| Ok(group.epoch_authenticator().as_slice().to_vec()))
    }

    /// A key that every member has in this epoch (RFC 9420 section 8.5): for calls.
    pub fn export(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        label: &str,
        context: &[u8],
        bytes: usize,
    ) -> Result<Vec<u8>, MlsError> {
        self.ask(connection, conversation, |group| {
            group.export_secret(&self.crypto, label, context, bytes).map_err(MlsError::internal)
        })
    }

    fn change(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        intent: Intent<'_>,
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        atomically(connection, || {
            let (row, group) = self.usable(connection, conversation)?;
            if row.pending.is_some() {
                return Err(MlsError::PendingCommit);
            }
            self.commit(connection, conversation, row, group, intent, now_s)
        })
    }

    /// Makes the commit, and leaves it pending.
    fn commit(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        row: Row,
        mut group: MlsGroup,
        intent: Intent<'_>,
        now_s: u64,
    ) -> Result<CommitBundle, MlsError> {
        let provider = self.provider(connection);
        let epoch = group.epoch().as_u64();
        let (packages, removed) = self.plan(&group, intent, now_s)?;
        let (rules, left) = match intent {
            Intent::Group(change) => (change.rules, change.left),
            _ => (None, &[][..]),
        };
        let mut joiners = Vec::with_capacity(packages.len());
        for (device, package) in &packages {
            joiners.push((*device, self.key_package_ref(package)?));
        }
        let change = Change {
            create: None,
            added: joiners.iter().map(|(device, _)| *device).collect(),
            removed: removed.iter().map(|(_, device)| *device).collect(),
            rules: rules.cloned(),
            left: left.to_vec(),
            ..Change::default()
        };
        let mut builder = group
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(true)
            .propose_adds(packages.into_iter().map(|(_, package)| package))
            .propose_removals(removed.into_iter().map(|(index, _)| index));
        if let Some(rules) = rules {
            builder =
                builder.propose_group_context_extensions(context_extensions(rules)?).map_err(MlsError::internal)?;
        }
        let messages = builder
            .load_psks(&provider.storage)
            .map_err(MlsError::internal)?
            .create_group_info(true)
            .use_ratchet_tree_extension(carries_tree(row.kind))
            .build(provider.random, provider.crypto, &self.identity, |_| true)
            .map_err(MlsError::invalid)?
            .stage_commit(&provider)
            .map_err(MlsError::internal)?;
        let staged = group.pending_commit().ok_or_else(|| MlsError::internal("no commit after staging one"))?;
        let author = Author::Member(group.own_leaf_index());
        let effect = policy::check_commit(&group, staged, author, &self.rules(conversation, row.kind), &self.verified)?;
        if row.kind == ConversationKind::Group && !self.is_lawless() {
            let declared = Declared { change: &change, time_s: now_s, seq: u64::MAX };
            rules::judge(conversation, &group, author, &effect, declared, &self.verified)?;
        }
        let bundle = CommitBundle::new(epoch, change, &joiners, messages)?;
        let row = Row { pending: Some(fingerprint(&bundle.payload)), ..row };
        self.hold(connection, conversation, row, group)?;
        Ok(bundle)
    }

    #[cfg(not(test))]
    fn is_lawless(&self) -> bool {
        false
    }

    #[cfg(test)]
    fn is_lawless(&self) -> bool {
        self.lawless.get()
    }

    fn plan(&self, group: &MlsGroup, intent: Intent<'_>, now_s: u64) -> Result<Plan, MlsError> {
        match intent {
            Intent::Add(invitees) => Ok((self.packages(invitees, now_s)?, vec![])),
            Intent::Remove(devices) => Ok((vec![], self.indexes(group, devices)?)),
            Intent::Update => Ok((vec![], vec![])),
            Intent::Group(change) => Ok((self.packages(change.add, now_s)?, self.indexes(group, change.remove)?)),
        }
    }

    fn packages(&self, invitees: &[Invitee<'_>], now_s: u64) -> Result<Vec<(Sender, KeyPackage)>, MlsError> {
        invitees.iter().map(|invitee| Ok((invitee.device, self.check_key_package(*invitee, now_s)?))).collect()
    }

    /// Where these devices' leaves are, without one's own.
    fn indexes(&self, group: &MlsGroup, devices: &[Sender]) -> Result<Vec<(LeafNodeIndex, Sender)>, MlsError> {
        let devices: BTreeSet<&Sender> = devices.iter().collect();
        let mut removed = Vec::new();
        for member in group.members().filter(|member| member.index != group.own_leaf_index()) {
            let device = sender(&self.verified.read(&member.credential)?);
            if devices.contains(&device) {
                removed.push((member.index, device));
            }
        }
        Ok(removed)
    }

    pub(super) fn rules(&self, conversation: ConversationId, kind: ConversationKind) -> Rules {
        Rules { conversation, kind, own: self.identity.credential.account }
    }

    pub(super) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.identity.credential.as_bytes().to_vec()).into(),
            signature_key: self.identity.credential.signature_key.to_vec().into(),
        }
    }
}

/// What a commit is for.
#[derive(Clone, Copy)]
enum Intent<'a> {
    Add(&'a [Invitee<'a>]),
    Remove(&'a [Sender]),
    Update,
    Group(&'a GroupChange<'a>),
}

/// What one commit does to a group.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupChange<'a> {
    pub add: &'a [Invitee<'a>],
    /// Devices that are not in it are left out.
    pub remove: &'a [Sender],
    pub rules: Option<&'a GroupRules>,
    /// Of those among the removed who left.
    pub left: &'a [LeaveProof],
}

/// In a group a joiner gets the ratchet tree from the server; elsewhere it is in welcomes and GroupInfos.
pub(super) fn carries_tree(kind: ConversationKind) -> bool {
    kind != ConversationKind::Group
}

/// Packages to add, and leaves to remove.
type Plan = (Vec<(Sender, KeyPackage)>, Vec<(LeafNodeIndex, Sender)>);

/// What our leaves can do: nothing but what is used.
pub(super) fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[CIPHERSUITE]),
        Some(&[ExtensionType::LastResort, ExtensionType::Unknown(EXTENSION_TYPE)]),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

pub(super) fn join_config(kind: ConversationKind) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING_BYTES)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(carries_tree(kind))
        .sender_ratchet_configuration(ratchet())
        .build()
}

fn ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER_MAX, MISSING_MAX)
}

pub(super) fn group_id(conversation: ConversationId, generation: u32) -> GroupId {
    GroupId::from_slice(&[conversation.as_bytes().as_slice(), &generation.to_be_bytes()].concat())
}

/// Whether a group id is of this conversation, and its generation.
pub(super) fn generation(group_id: &GroupId, conversation: ConversationId) -> Option<u32> {
    let generation = group_id.as_slice().strip_prefix(conversation.as_bytes().as_slice())?;
    Some(u32::from_be_bytes(generation.try_into().ok()?))
}

/// By which an own commit is known again.
pub(super) fn fingerprint(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}
