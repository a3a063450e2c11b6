//! Come into a group: by a welcome that a member made, or by an external commit (RFC 9420 section 12.4.3.2) of one's own.

use super::bundle::CommitBundle;
use super::error::MlsError;
use super::group::{self, CIPHERSUITE, capabilities, carries_tree, join_config};
use super::held::{Row, read_row};
use super::rules;
use super::storage::{Storage, StorageError};
use super::{Mls, atomically};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::JoinBuilder;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, ProcessedWelcome, Proposal, RatchetTreeIn,
    StagedWelcome, Welcome, WelcomeError,
};
use rusqlite::Connection;
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, ConversationKind};
use tidings_proto::group::JoinProof;
use tidings_proto::id::ConversationId;
use tidings_proto::limit;

/// Compare every identity key in here with the pinned ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The first epoch that this device can read.
    pub epoch: u64,
    /// Everybody, this device too.
    pub members: Vec<Credential>,
    /// A later state of this database may have been in it by the same welcome: read with it, and encrypt nothing.
    pub copied: bool,
}

/// Where an external commit begins.
#[derive(Clone, Copy, Debug)]
pub struct Entrance<'a> {
    pub group_info: &'a [u8],
    /// Of a group: the ratchet tree that belongs to the GroupInfo.
    pub tree: Option<&'a [u8]>,
    /// Of a group that one is no member of.
    pub invite: Option<&'a JoinProof>,
}

impl Mls {
    /// Joins by welcome. `tree`: of a group, as of the commit that the welcome belongs to. A group of the same conversation that is behind it is replaced: a creation that lost its race,
    /// a device that was added again. Call it only if the log has the commit that the welcome belongs to.
    pub fn join(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        kind: ConversationKind,
        welcome: &[u8],
        tree: Option<&[u8]>,
    ) -> Result<Joined, MlsError> {
        let welcome = read_welcome(welcome)?;
        let tree = tree.map(read_tree).transpose()?;
        atomically(connection, || {
            let provider = self.provider(connection);
            let copied = Storage(connection).is_for_copied(&welcome)?;
            let processed =
                ProcessedWelcome::new_from_welcome(&provider, &join_config(kind), welcome).map_err(refused)?;
            let info = processed.unverified_group_info();
            self.check_successor(connection, conversation, info)?;
            self.delete(connection, conversation)?;
            let mut builder = JoinBuilder::new(&provider, processed).skip_lifetime_validation().replace_old_group();
            if let Some(tree) = tree {
                builder = builder.with_ratchet_tree(tree);
            }
            let staged = builder.build().map_err(refused)?;
            let members = self.check_joined(conversation, kind, &staged)?;
            let group = staged.into_group(&provider).map_err(refused)?;
            let joined = Joined { epoch: group.epoch().as_u64(), members, copied };
            let row = Row::new(group.group_id().clone(), kind);
            self.hold(connection, conversation, row, group)?;
            Ok(joined)
        })
    }

    /// (Re)joins by external commit, from the newest GroupInfo that the server has. The own old leaf is replaced, and
    /// so is a local group. The group can be used once the commit is in the log ([`Mls::merge_pending`]).
    pub fn join_external(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        kind: ConversationKind,
        from: &Entrance<'_>,
    ) -> Result<(Joined, CommitBundle), MlsError> {
        let info = read_group_info(from.group_info)?;
        let tree = from.tree.map(read_tree).transpose()?;
        atomically(connection, || {
            if group::generation(info.group_id(), conversation).is_none() {
                return Err(MlsError::invalid("a GroupInfo of another conversation"));
            }
            self.delete(connection, conversation)?;
            let provider = self.provider(connection);
            let epoch = info.epoch().as_u64();
            let mut builder =
                MlsGroup::external_commit_builder().with_config(join_config(kind)).skip_lifetime_validation();
            if let Some(tree) = tree {
                builder = builder.with_ratchet_tree(tree);
            }
            let mut replaces = false;
            let (group, messages) = builder
                .build_group(&provider, info, self.credential_with_key())
                .map_err(MlsError::invalid)?
                .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities()).build())
                .load_psks(&provider.storage)
                .map_err(MlsError::internal)?
                .create_group_info(true)
                .use_ratchet_tree_extension(carries_tree(kind))
                .build(provider.random, provider.crypto, &self.identity, |queued| {
                    replaces |= matches!(queued.proposal(), Proposal::Remove(_));
                    true
                })
                .map_err(MlsError::invalid)?
                .finalize(&provider)
                .map_err(MlsError::internal)?;
            let members = self.rules(conversation, kind).check_members(group.members(), &self.verified)?;
            if kind == ConversationKind::Group {
                rules::of_group(&group)?;
            }
            let own = self.identity.sender();
            let change = Change {
                added: vec![own],
                // A direct conversation's server does not look at it.
                removed: if replaces && kind == ConversationKind::Group { vec![own] } else { vec![] },
                external: true,
                invite: from.invite.cloned(),
                ..Change::default()
            };
            let bundle = CommitBundle::new(epoch, change, &[], messages)?;
            let joined = Joined { epoch: group.epoch().as_u64(), members, copied: false };
            let pending = Some(group::fingerprint(&bundle.payload));
            let row = Row { joining: true, pending, ..Row::new(group.group_id().clone(), kind) };
            self.hold(connection, conversation, row, group)?;
            Ok((joined, bundle))
        })
    }

    /// A welcome must lead on from what is here: an older one would run used keys again.
    fn check_successor(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        info: &VerifiableGroupInfo,
    ) -> Result<(), MlsError> {
        let welcome = (
            group::generation(info.group_id(), conversation)
                .ok_or_else(|| MlsError::invalid("a welcome to another conversation"))?,
            info.epoch().as_u64(),
        );
        let Some(row) = read_row(connection, conversation)? else { return Ok(()) };
        if row.joining {
            return Ok(());
        }
        let (here, is_out) = match self.open(connection, conversation, &row) {
            Ok(group) => {
                let generation = group::generation(&row.group_id, conversation).unwrap_or(0);
                ((generation, group.epoch().as_u64()), !group.is_active())
            }
            Err(MlsError::NoGroup) => return Ok(()),
            Err(error) => return Err(error),
        };
        // The commit that took this device out may have let it in again: it never had the keys of that epoch.
        if welcome > here || is_out && welcome == here {
            Ok(())
        } else {
            Err(MlsError::StaleWelcome { welcome: welcome.1, group: here.1 })
        }
    }

    fn check_joined(
        &self,
        conversation: ConversationId,
        kind: ConversationKind,
        staged: &StagedWelcome,
    ) -> Result<Vec<Credential>, MlsError> {
        if staged.group_context().ciphersuite() != CIPHERSUITE {
            return Err(MlsError::invalid("a group of another ciphersuite"));
        }
        if kind == ConversationKind::Group {
            rules::of_context(staged.group_context())?;
        }
        let members = self.rules(conversation, kind).check_members(staged.members(), &self.verified)?;
        if members.contains(&self.identity.credential) {
            Ok(members)
        } else {
            Err(MlsError::invalid("a welcome for another credential of this device"))
        }
    }
}

fn refused(error: WelcomeError<StorageError>) -> MlsError {
    match error {
        WelcomeError::NoMatchingKeyPackage => MlsError::NoKeyPackage,
        WelcomeError::StorageError(error) => error.into(),
        other => MlsError::invalid(other),
    }
}

fn read_welcome(bytes: &[u8]) -> Result<Welcome, MlsError> {
    match read(bytes)? {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(MlsError::invalid("it is no welcome")),
    }
}

fn read_group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, MlsError> {
    match read(bytes)? {
        MlsMessageBodyIn::GroupInfo(info) if info.ciphersuite() == CIPHERSUITE => Ok(info),
        MlsMessageBodyIn::GroupInfo(_) => Err(MlsError::invalid("a group of another ciphersuite")),
        _ => Err(MlsError::invalid("it is no GroupInfo")),
    }
}

/// RFC 9420 section 12.4.3.3.
fn read_tree(bytes: &[u8]) -> Result<RatchetTreeIn, MlsError> {
    if bytes.len() > limit::COMMIT_MAX_BYTES {
        return Err(MlsError::invalid("it is too large"));
    }
    RatchetTreeIn::tls_deserialize_exact(bytes).map_err(MlsError::invalid)
}

fn read(bytes: &[u8]) -> Result<MlsMessageBodyIn, MlsError> {
    if bytes.len() > limit::COMMIT_MAX_BYTES {
        return Err(MlsError::invalid("it is too large"));
    }
    Ok(MlsMessageIn::tls_deserialize_exact(bytes).map_err(MlsError::invalid)?.extract())
}
