//! A group's rules: who its admins are, who may do what, and by which links people come in.
//!
//! The rules stand in the MLS group itself, as a GroupContext extension (RFC 9420 sections 11.1 and 12.1.7) of type
//! [`EXTENSION_TYPE`] whose data is [`GroupRules::encode`]: so every member, and whoever joins, has them vouched for by
//! the group. A commit that changes them declares them in clear too (`Change::rules`); the server compares.
//!
//! [`check`] says whether a commit keeps the rules. The server asks it before it takes a commit, and every member's
//! device asks it again before it applies one, from what the MLS group says alone: so all of them come to the same
//! verdict, and a server that lies gains nothing. What only the server can know (whether a device was logged out, how
//! many people a group may have) it checks on top.

use crate::codec::{DecodeError, from_cbor, to_cbor};
use crate::entry::{Change, Sender};
use crate::id::{AccountId, ConversationId};
use crate::limit;
use crate::payload::Payload;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// MLS extension type of the rules, from the range for private use (RFC 9420 section 17.3).
pub const EXTENSION_TYPE: u16 = 0xF7A1;

const JOIN_CONTEXT: &[u8] = b"tidings join by invite v1";
const LEAVE_CONTEXT: &[u8] = b"tidings leave v1";

/// Who may do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Who {
    #[default]
    Members,
    Admins,
}

/// What holds in a group from one commit to the next. Lists are sorted and have nobody twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupRules {
    /// At least one, as long as anybody is in the group.
    pub admins: Vec<AccountId>,
    /// Who may send messages that count; `Admins`: announcements only. Reactions are free to all.
    #[serde(default)]
    pub posting: Who,
    /// Who may change name, picture, description and the disappearing timer.
    #[serde(default)]
    pub editing: Who,
    /// Who may add people.
    #[serde(default)]
    pub adding: Who,
    /// Who cannot come in, whoever adds them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub banned: Vec<AccountId>,
    /// Members none of whose devices has a leaf now (all were logged out): they come back by external commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<AccountId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invites: Vec<Invite>,
}

/// A link that lets people in. The link holds the secret half of `key`, which the server never sees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invite {
    pub key: InviteKey,
    /// Seconds since 1970; absent: until revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// An admin has to approve who comes by this link.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

/// The public half of an invite (Ed25519, 32 bytes): its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = Byte))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
#[serde(try_from = "Payload", into = "Payload")]
pub struct InviteKey(pub [u8; 32]);

/// Shows that a device holds the link: a signature with the secret half over who wants to join what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinProof {
    pub key: InviteKey,
    /// 64 bytes.
    pub signature: Payload,
}

/// Shows that somebody left: a signature with the MLS signature key of one of their devices over the leaf that it has.
/// The leaf's encryption key binds it to this one stay in the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveProof {
    pub sender: Sender,
    /// 64 bytes.
    pub signature: Payload,
}

/// The keys of one leaf, as the MLS group has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub signature_key: [u8; 32],
    pub encryption_key: Vec<u8>,
}

/// Why a commit is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("only a member's device can do this")]
    NotMember,
    #[error("only an admin can do this")]
    NotAdmin,
    #[error("this person is banned from the group")]
    Banned,
    #[error("the invite link is not valid, was revoked or has expired")]
    BadInvite,
    #[error("an admin has to approve who comes by this link")]
    ApprovalNeeded,
    #[error("an external commit brings in its own device and does nothing else")]
    NotOnlyJoining,
    #[error("it says that somebody left who did not")]
    BadLeave,
    #[error("a group has at least one admin, and every admin is a member")]
    NoAdmin,
    #[error("the rules are not of the documented form")]
    BadRules,
}

impl GroupRules {
    /// The rules of a new group.
    pub fn of_creator(creator: AccountId) -> Self {
        Self { admins: vec![creator], ..Self::default() }
    }

    pub fn is_admin(&self, account: AccountId) -> bool {
        self.admins.binary_search(&account).is_ok()
    }

    pub fn allows(&self, who: Who, account: AccountId) -> bool {
        who == Who::Members || self.is_admin(account)
    }

    pub fn is_banned(&self, account: AccountId) -> bool {
        self.banned.binary_search(&account).is_ok()
    }

    pub fn invite(&self, key: InviteKey) -> Option<&Invite> {
        self.invites.iter().find(|invite| invite.key == key)
    }

    /// The extension's data: CBOR.
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self).to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor(bytes)
    }

    fn is_well_formed(&self) -> bool {
        fn sorted<T: Ord>(list: &[T]) -> bool {
            list.windows(2).all(|pair| pair[0] < pair[1])
        }
        let keys: BTreeSet<InviteKey> = self.invites.iter().map(|invite| invite.key).collect();
        sorted(&self.admins)
            && sorted(&self.banned)
            && sorted(&self.away)
            && keys.len() == self.invites.len()
            && self.admins.len() <= limit::PARTICIPANTS_MAX
            && self.away.len() <= limit::PARTICIPANTS_MAX
            && self.banned.len() <= limit::BANS_MAX
            && self.invites.len() <= limit::INVITES_MAX
    }

    /// Whether a device may come in by an invite now.
    pub fn check_join(
        &self,
        conversation: ConversationId,
        joiner: Sender,
        proof: &JoinProof,
        now_s: u64,
    ) -> Result<(), Denied> {
        let invite = self.check_request(conversation, joiner, proof, now_s)?;
        if invite.approval { Err(Denied::ApprovalNeeded) } else { Ok(()) }
    }

    /// Whether a device holds a valid invite, be it one that an admin has to approve.
    pub fn check_request(
        &self,
        conversation: ConversationId,
        joiner: Sender,
        proof: &JoinProof,
        now_s: u64,
    ) -> Result<&Invite, Denied> {
        if self.is_banned(joiner.account) {
            return Err(Denied::Banned);
        }
        let invite = self.invite(proof.key).ok_or(Denied::BadInvite)?;
        if invite.expires_s.is_some_and(|expires_s| expires_s <= now_s) || !proof.verifies(conversation, joiner) {
            return Err(Denied::BadInvite);
        }
        Ok(invite)
    }
}

impl JoinProof {
    /// `secret`: what the link holds.
    pub fn sign(secret: &[u8; 32], conversation: ConversationId, joiner: Sender) -> Self {
        let key = SigningKey::from_bytes(secret);
        let signature = key.sign(&join_message(conversation, joiner)).to_bytes().to_vec().into();
        Self { key: InviteKey(key.verifying_key().to_bytes()), signature }
    }

    fn verifies(&self, conversation: ConversationId, joiner: Sender) -> bool {
        verify(&self.key.0, &join_message(conversation, joiner), &self.signature)
    }
}

impl LeaveProof {
    /// What the leaving device signs with its MLS signature key.
    pub fn message(conversation: ConversationId, sender: Sender, encryption_key: &[u8]) -> Vec<u8> {
        let ids = [*conversation.as_bytes(), *sender.account.as_bytes(), *sender.device.as_bytes()].concat();
        [LEAVE_CONTEXT, &ids, encryption_key].concat()
    }

    pub fn verifies(&self, conversation: ConversationId, leaf: &Leaf) -> bool {
        let message = Self::message(conversation, self.sender, &leaf.encryption_key);
        verify(&leaf.signature_key, &message, &self.signature)
    }
}

impl InviteKey {
    /// Of the secret that a link holds.
    pub fn of(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret).verifying_key().to_bytes())
    }
}

/// A group as it is before a commit: the leaves of each account.
pub type Leaves = BTreeMap<AccountId, BTreeMap<crate::id::DeviceId, Leaf>>;

/// Whether a commit keeps the rules of a group. `change`: what it does by MLS's own account, `change.rules` the rules
/// after it if it changes them, with the proofs that were declared beside it. For an account's own devices see
/// `change.added` and `change.removed`; an account all of whose leaves are removed is expelled, unless it is put into
/// `away`.
pub fn check(
    conversation: ConversationId,
    before: &GroupRules,
    leaves: &Leaves,
    author: Sender,
    change: &Change,
    now_s: u64,
) -> Result<(), Denied> {
    if change.external {
        return check_external(conversation, before, leaves, author, change, now_s);
    }
    if leaves.get(&author.account).is_none_or(|devices| !devices.contains_key(&author.device)) {
        return Err(Denied::NotMember);
    }
    let after = change.rules.as_ref().unwrap_or(before);
    if !after.is_well_formed() {
        return Err(Denied::BadRules);
    }
    let members_after = members_after(leaves, change);
    let admin = before.is_admin(author.account);
    for account in change.added.iter().map(|device| device.account) {
        if leaves.contains_key(&account) || before.away.contains(&account) {
            continue;
        }
        if after.is_banned(account) {
            return Err(Denied::Banned);
        }
        if !before.allows(before.adding, author.account) {
            return Err(Denied::NotAdmin);
        }
    }
    let mut gone = BTreeSet::new();
    for account in leaves.keys().filter(|account| !members_after.contains(account)) {
        if !after.away.contains(account) {
            gone.insert(*account);
        }
    }
    for account in &before.away {
        if !after.away.contains(account) && !members_after.contains(account) {
            gone.insert(*account);
        }
    }
    for account in &gone {
        if !admin && !has_left(conversation, leaves, change, *account)? {
            return Err(Denied::NotAdmin);
        }
    }
    if let Some(rules) = &change.rules
        && !admin
        && !is_bookkeeping(before, rules, leaves, &members_after, &gone)
    {
        return Err(Denied::NotAdmin);
    }
    // Nobody becomes a member by name alone, not even by an admin's word.
    if !after.away.iter().all(|account| before.away.contains(account) || leaves.contains_key(account)) {
        return Err(Denied::BadRules);
    }
    let is_member = |account: &AccountId| members_after.contains(account) || after.away.contains(account);
    if after.admins.is_empty() || !after.admins.iter().all(is_member) {
        return Err(Denied::NoAdmin);
    }
    Ok(())
}

fn check_external(
    conversation: ConversationId,
    before: &GroupRules,
    leaves: &Leaves,
    author: Sender,
    change: &Change,
    now_s: u64,
) -> Result<(), Denied> {
    let only_joins = change.added == [author]
        && change.removed.iter().all(|gone| *gone == author)
        && change.rules.is_none()
        && change.left.is_empty();
    if !only_joins {
        return Err(Denied::NotOnlyJoining);
    }
    if leaves.contains_key(&author.account) || before.away.contains(&author.account) {
        return Ok(());
    }
    let proof = change.invite.as_ref().ok_or(Denied::NotMember)?;
    before.check_join(conversation, author, proof, now_s)
}

/// Accounts that have a leaf after the commit.
fn members_after(leaves: &Leaves, change: &Change) -> BTreeSet<AccountId> {
    let mut devices: BTreeSet<Sender> = leaves
        .iter()
        .flat_map(|(account, devices)| devices.keys().map(|device| Sender { account: *account, device: *device }))
        .collect();
    change.removed.iter().for_each(|gone| {
        devices.remove(gone);
    });
    devices.extend(&change.added);
    devices.into_iter().map(|device| device.account).collect()
}

fn has_left(
    conversation: ConversationId,
    leaves: &Leaves,
    change: &Change,
    account: AccountId,
) -> Result<bool, Denied> {
    let Some(proof) = change.left.iter().find(|proof| proof.sender.account == account) else { return Ok(false) };
    let leaf = leaves.get(&account).and_then(|devices| devices.get(&proof.sender.device)).ok_or(Denied::BadLeave)?;
    if proof.verifies(conversation, leaf) { Ok(true) } else { Err(Denied::BadLeave) }
}

/// What any member may do to the rules: note who has no leaf any more or has one again, and strike out who is gone.
fn is_bookkeeping(
    before: &GroupRules,
    after: &GroupRules,
    leaves: &Leaves,
    members_after: &BTreeSet<AccountId>,
    gone: &BTreeSet<AccountId>,
) -> bool {
    let others = GroupRules { admins: before.admins.clone(), away: before.away.clone(), ..after.clone() };
    let admins: Vec<AccountId> = before.admins.iter().filter(|account| !gone.contains(account)).copied().collect();
    let away_holds = after.away.iter().all(|account| {
        !members_after.contains(account) && (before.away.contains(account) || leaves.contains_key(account))
    });
    others == *before && after.admins == admins && away_holds
}

fn join_message(conversation: ConversationId, joiner: Sender) -> Vec<u8> {
    [JOIN_CONTEXT, conversation.as_bytes(), joiner.account.as_bytes(), joiner.device.as_bytes()].concat()
}

fn verify(key: &[u8; 32], message: &[u8], signature: &Payload) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(key), Signature::from_slice(signature.as_slice())) else {
        return false;
    };
    key.verify_strict(message, &signature).is_ok()
}

impl TryFrom<Payload> for InviteKey {
    type Error = &'static str;

    fn try_from(payload: Payload) -> Result<Self, Self::Error> {
        payload.as_slice().try_into().map(Self).map_err(|_| "an invite's key has 32 bytes")
    }
}

impl From<InviteKey> for Payload {
    fn from(key: InviteKey) -> Self {
        key.0.to_vec().into()
    }
}

impl std::fmt::Debug for InviteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests;
