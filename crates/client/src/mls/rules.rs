//! A group's rules: where they stand in its MLS group, and whether a commit keeps them.
//!
//! The rules are an extension of the GroupContext, and `proto::group::check` is the rule book. It is asked about what a
//! commit does by MLS's own account, never about what the server says that it does: so a server that lies about roles
//! gains nothing. What is declared beside a commit must say the same, for the server keeps its books by that.

use super::Mls;
use super::error::MlsError;
use super::identity::sender;
use super::policy::{Author, Effect, Verified};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use openmls::prelude::{
    Extension, ExtensionType, Extensions, GroupContext, MlsGroup, RequiredCapabilitiesExtension, UnknownExtension,
};
use rusqlite::Connection;
use std::collections::BTreeSet;
use tidings_proto::credential::refresh;
use tidings_proto::entry::{Change, Sender};
use tidings_proto::group::{self, EXTENSION_TYPE, GroupRules, Leaf, LeaveProof, Leaves};
use tidings_proto::id::ConversationId;

/// An invite was good when the server took the commit; its clock may have moved on before it wrote the entry's time.
const SKEW_S: u64 = 60;

/// What a log's entry says beside a commit.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    pub change: &'a Change,
    /// Of the entry, in seconds.
    pub time_s: u64,
    /// Of the entry.
    pub seq: u64,
}

impl Mls {
    /// The rules of a group, as its MLS state has them.
    pub fn group_rules(&self, connection: &Connection, conversation: ConversationId) -> Result<GroupRules, MlsError> {
        self.ask(connection, conversation, of_group)
    }

    /// Shows that this device's account leaves now.
    pub fn prove_leave(&self, connection: &Connection, conversation: ConversationId) -> Result<LeaveProof, MlsError> {
        let sender = self.identity.sender();
        self.ask(connection, conversation, |group| {
            let own = group.own_leaf_index();
            let leaf = group.members().find(|member| member.index == own).ok_or(MlsError::NoGroup)?;
            let message = LeaveProof::message(conversation, sender, &leaf.encryption_key);
            Ok(LeaveProof { sender, signature: self.identity.signature.sign(&message).to_bytes().to_vec().into() })
        })
    }

    /// Shows that this device uses this refresh token itself.
    pub fn prove_refresh(&self, refresh_token: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.identity.signature.sign(&refresh(refresh_token)).to_bytes())
    }

    /// Whether a proof shows that its sender leaves, being in the group now.
    pub fn verifies_leave(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        proof: &LeaveProof,
    ) -> Result<bool, MlsError> {
        self.ask(connection, conversation, |group| {
            let leaves = leaves(group, &self.verified)?;
            let leaf = leaves.get(&proof.sender.account).and_then(|devices| devices.get(&proof.sender.device));
            Ok(leaf.is_some_and(|leaf| proof.verifies(conversation, leaf)))
        })
    }

    /// Whether a change that this device wants to make keeps the rules.
    pub fn check_change(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        change: &Change,
        now_s: u64,
    ) -> Result<Result<(), group::Denied>, MlsError> {
        self.ask(connection, conversation, |group| {
            let before = of_group(group)?;
            let leaves = leaves(group, &self.verified)?;
            Ok(group::check(conversation, &before, &leaves, self.identity.sender(), change, now_s))
        })
    }

    /// Every device that has a leaf, by MLS's own account.
    pub fn devices(&self, connection: &Connection, conversation: ConversationId) -> Result<Vec<Sender>, MlsError> {
        Ok(self.members(connection, conversation)?.iter().map(sender).collect())
    }
}

/// The extensions of a group's context: the rules, and that everybody understands them.
pub(super) fn context_extensions(rules: &GroupRules) -> Result<Extensions<GroupContext>, MlsError> {
    let required = RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(EXTENSION_TYPE)], &[], &[]);
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::Unknown(EXTENSION_TYPE, UnknownExtension(rules.encode())),
    ])
    .map_err(MlsError::internal)
}

pub(super) fn of_group(group: &MlsGroup) -> Result<GroupRules, MlsError> {
    of_extensions(group.extensions())
}

pub(super) fn of_context(context: &GroupContext) -> Result<GroupRules, MlsError> {
    of_extensions(context.extensions())
}

/// The context has the documented extensions and no others.
fn of_extensions(extensions: &Extensions<GroupContext>) -> Result<GroupRules, MlsError> {
    let rules = extensions.unknown(EXTENSION_TYPE).ok_or_else(|| MlsError::invalid("a group without rules"))?;
    let required = RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(EXTENSION_TYPE)], &[], &[]);
    if extensions.iter().count() != 2 || extensions.required_capabilities() != Some(&required) {
        return Err(MlsError::invalid("a group with other extensions than the rules"));
    }
    GroupRules::decode(&rules.0).map_err(|error| MlsError::invalid(format!("a group's rules: {error}")))
}

fn leaves(group: &MlsGroup, verified: &Verified) -> Result<Leaves, MlsError> {
    let mut leaves = Leaves::new();
    for member in group.members() {
        let credential = verified.read(&member.credential)?;
        let leaf = Leaf { signature_key: credential.signature_key, encryption_key: member.encryption_key };
        leaves.entry(credential.account).or_default().insert(credential.device, leaf);
    }
    Ok(leaves)
}

/// Whether a commit, as MLS has it, keeps the rules, and does what was declared.
pub(super) fn judge(
    conversation: ConversationId,
    group: &MlsGroup,
    author: Author,
    effect: &Effect,
    declared: Declared<'_>,
    verified: &Verified,
) -> Result<(), MlsError> {
    let denied = |why: String| MlsError::Denied { why };
    let said = declared.change;
    let change = Change {
        create: None,
        added: effect.added.iter().map(sender).collect(),
        removed: effect.removed.iter().map(sender).collect(),
        external: matches!(author, Author::Joiner),
        rules: effect.rules.clone(),
        invite: said.invite.clone(),
        left: said.left.clone(),
    };
    let same = |a: &[Sender], b: &[Sender]| a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>();
    let as_declared = same(&change.added, &said.added)
        && same(&change.removed, &said.removed)
        && change.external == said.external
        && change.rules == said.rules;
    if !as_declared {
        return Err(denied("the server says that a commit does something else than it does".into()));
    }
    let before = of_group(group)?;
    let leaves = leaves(group, verified)?;
    let now_s = declared.time_s.saturating_sub(SKEW_S);
    group::check(conversation, &before, &leaves, sender(&effect.author), &change, now_s)
        .map_err(|error| denied(error.to_string()))
}
