//! Encrypt, and process what the log says. Everything goes through here in the order of the log, once.

use super::error::MlsError;
use super::group::{Committed, fingerprint};
use super::held::{Row, read_row};
use super::identity::sender as whose;
use super::policy::{self, Author};
use super::rules::{self, Declared};
use super::storage::StorageError;
use super::{Mls, atomically};
use openmls::framing::errors::MessageDecryptionError;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    MlsGroup, MlsGroupStateError, MlsMessageIn, ProcessMessageError, ProcessedMessage, ProcessedMessageContent,
    ProtocolMessage, Sender, StagedCommit, ValidationError,
};
use rusqlite::Connection;
use tidings_proto::credential::Credential;
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::ConversationId;
use tidings_proto::limit;

/// A message as it goes into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypted {
    /// The epoch that it is for.
    pub epoch: u64,
    /// MLS PrivateMessage.
    pub payload: Vec<u8>,
}

/// What an entry of the log was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processed {
    Message {
        sender: Credential,
        plaintext: Vec<u8>,
    },
    Commit(Committed),
    /// A message of this device itself: it has the plaintext in its own database.
    Own,
}

impl Mls {
    /// Encrypts for the current epoch. Each call uses up a key: what it gives is sent, or lost, never both ways.
    pub fn encrypt(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        plaintext: &[u8],
    ) -> Result<Encrypted, MlsError> {
        atomically(connection, || {
            let (row, mut group) = self.usable(connection, conversation)?;
            let epoch = group.epoch().as_u64();
            let message = group
                .create_message(&self.provider(connection), &self.identity, plaintext)
                .map_err(MlsError::internal)?;
            self.hold(connection, conversation, row, group)?;
            Ok(Encrypted { epoch, payload: message.to_bytes().map_err(MlsError::internal)? })
        })
    }

    /// Processes the payload of an entry. A commit that is accepted has taken effect when this returns, and an own
    /// pending one of the same epoch is dropped then. The own commit itself is recognized, too.
    /// `declared`: what the entry says beside a commit; a group's commit is not taken without.
    pub fn process(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        payload: &[u8],
        declared: Option<Declared<'_>>,
    ) -> Result<Processed, MlsError> {
        if payload.len() > limit::COMMIT_MAX_BYTES {
            return Err(MlsError::invalid("it is too large"));
        }
        let row = read_row(connection, conversation)?.ok_or(MlsError::NoGroup)?;
        if row.pending.is_some_and(|own| own == fingerprint(payload)) {
            return self.merge_pending(connection, conversation).map(Processed::Commit);
        }
        let message = read(payload)?;
        atomically(connection, || {
            let (row, mut group) = self.usable(connection, conversation)?;
            if message.group_id() != group.group_id() {
                return Err(MlsError::invalid("it is of another group"));
            }
            let (theirs, ours) = (message.epoch().as_u64(), group.epoch().as_u64());
            if theirs != ours {
                return Err(MlsError::WrongEpoch { message: theirs, group: ours });
            }
            let processed = group.process_message(&self.provider(connection), message).map_err(refused)?;
            self.settle(connection, conversation, row, group, processed, declared)
        })
    }

    fn settle(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        row: Row,
        group: MlsGroup,
        processed: ProcessedMessage,
        declared: Option<Declared<'_>>,
    ) -> Result<Processed, MlsError> {
        let author = match processed.sender() {
            Sender::Member(index) => Author::Member(*index),
            Sender::NewMemberCommit => Author::Joiner,
            Sender::External(_) | Sender::NewMemberProposal => {
                return Err(MlsError::invalid("its sender is outside of the group"));
            }
        };
        let sender = self.verified.read(processed.credential())?;
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                self.hold(connection, conversation, row, group)?;
                Ok(Processed::Message { sender, plaintext: message.into_bytes() })
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                self.accept(connection, conversation, (row, group), author, *staged, declared).map(Processed::Commit)
            }
            ProcessedMessageContent::OwnPrivateMessage => {
                self.hand_back(conversation, &row, group);
                Ok(Processed::Own)
            }
            ProcessedMessageContent::OwnPendingCommit => {
                self.hand_back(conversation, &row, group);
                self.merge_pending(connection, conversation).map(Processed::Commit)
            }
            ProcessedMessageContent::ProposalMessage(_) | ProcessedMessageContent::ExternalJoinProposalMessage(_) => {
                Err(MlsError::invalid("a proposal on its own"))
            }
        }
    }

    fn accept(
        &self,
        connection: &Connection,
        conversation: ConversationId,
        (row, mut group): (Row, MlsGroup),
        author: Author,
        staged: StagedCommit,
        declared: Option<Declared<'_>>,
    ) -> Result<Committed, MlsError> {
        let rules = self.rules(conversation, row.kind);
        let effect = policy::check_commit(&group, &staged, author, &rules, &self.verified)?;
        self.check_newcomers(conversation, &effect, declared.map_or(0, |declared| declared.seq))?;
        let is_group = row.kind == ConversationKind::Group;
        if is_group {
            let declared = declared.ok_or_else(|| MlsError::invalid("a commit where none was announced"))?;
            rules::judge(conversation, &group, author, &effect, declared, &self.verified)?;
        }
        let removed_self = staged.self_removed();
        group.merge_staged_commit(&self.provider(connection), staged).map_err(MlsError::internal)?;
        let mut committed = Committed::new(group.epoch().as_u64(), false, removed_self, effect);
        committed.expelled = is_group && removed_self && self.is_expelled(&group)?;
        self.hold(connection, conversation, Row { pending: None, ..row }, group)?;
        Ok(committed)
    }
}

impl Mls {
    /// No device comes back that was thrown out for good, and none comes in of one's own account with another identity key: an honest
    /// server logs this device out before its account begins anew.
    fn check_newcomers(&self, conversation: ConversationId, effect: &policy::Effect, seq: u64) -> Result<(), MlsError> {
        let own = &self.identity.credential;
        for new in &effect.added {
            if self.barred.borrow().get(&(conversation, whose(new))).is_some_and(|since| seq > *since) {
                return Err(MlsError::Denied { why: format!("{} was thrown out by its own account", new.device) });
            }
            if new.account == own.account && new.identity_key != own.identity_key {
                return Err(MlsError::Denied { why: format!("{} is not a device of this account", new.device) });
            }
        }
        Ok(())
    }

    /// Whether a group that this device was removed from has no place for its account any more.
    fn is_expelled(&self, group: &MlsGroup) -> Result<bool, MlsError> {
        let own = self.identity.credential.account;
        for member in group.members() {
            if self.verified.read(&member.credential)?.account == own {
                return Ok(false);
            }
        }
        Ok(!rules::of_group(group)?.away.contains(&own))
    }
}

fn read(payload: &[u8]) -> Result<ProtocolMessage, MlsError> {
    let message = MlsMessageIn::tls_deserialize_exact(payload).map_err(MlsError::invalid)?;
    message.try_into_protocol_message().map_err(MlsError::invalid)
}

fn refused(error: ProcessMessageError<StorageError>) -> MlsError {
    match error {
        ProcessMessageError::StorageError(error) => error.into(),
        ProcessMessageError::GroupStateError(MlsGroupStateError::UseAfterEviction) => MlsError::Removed,
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(why)) => {
            if key_was_used(&why) {
                MlsError::Replay
            } else {
                MlsError::Undecryptable { why: why.to_string() }
            }
        }
        other => MlsError::invalid(other),
    }
}

/// OpenMLS does not export the inner error type, so its name is compared; the test of replays would notice a change.
fn key_was_used(error: &MessageDecryptionError) -> bool {
    match error {
        MessageDecryptionError::SecretTreeError(why) => {
            ["SecretReuseError", "TooDistantInThePast"].contains(&format!("{why:?}").as_str())
        }
        _ => false,
    }
}
