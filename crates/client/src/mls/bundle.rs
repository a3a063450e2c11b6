//! What a commit is sent as: the commit, what it declares in clear, a welcome for each joiner, the new GroupInfo.

use super::error::MlsError;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _, VLBytes};
use openmls::prelude::{CommitMessageBundle, KeyPackageRef, MlsMessageOut, Welcome};
use tidings_proto::entry::{Change, Sender};
use tidings_proto::frame;
use tidings_proto::id::{ConversationId, MessageId};

/// A commit that was made and is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitBundle {
    /// The epoch that it ends.
    pub epoch: u64,
    /// MLS PublicMessage.
    pub payload: Vec<u8>,
    pub change: Change,
    /// One for each added device, except this one.
    pub welcomes: Vec<frame::Welcome>,
    /// Of the new epoch; with the ratchet tree if it is no group's.
    pub group_info: Vec<u8>,
    /// Of a new group: the GroupInfo of epoch 0, with its ratchet tree.
    pub origin: Option<Vec<u8>>,
}

impl CommitBundle {
    /// As it goes to the server.
    pub fn into_frame(self, conversation: ConversationId, message_id: MessageId) -> frame::Commit {
        frame::Commit {
            conversation,
            message_id,
            epoch: self.epoch,
            payload: self.payload.into(),
            change: self.change,
            welcomes: self.welcomes,
            group_info: self.group_info.into(),
            origin: self.origin.map(Into::into),
        }
    }

    /// `joiners`: whose key package has which reference.
    pub(super) fn new(
        epoch: u64,
        change: Change,
        joiners: &[(Sender, KeyPackageRef)],
        messages: CommitMessageBundle,
    ) -> Result<Self, MlsError> {
        let (commit, welcome, group_info) = messages.into_contents();
        let group_info = group_info.ok_or_else(|| MlsError::internal("a commit without a GroupInfo"))?;
        let welcomes = match welcome {
            Some(welcome) => split(&welcome, joiners)?,
            None => Vec::new(),
        };
        Ok(Self {
            epoch,
            payload: commit.to_bytes().map_err(MlsError::internal)?,
            change,
            welcomes,
            group_info: MlsMessageOut::from(group_info).to_bytes().map_err(MlsError::internal)?,
            origin: None,
        })
    }
}

/// RFC 9420 section 6: `ProtocolVersion mls10`, `WireFormat mls_welcome`.
const WELCOME_HEADER: [u8; 4] = [0, 1, 0, 3];

/// One welcome (RFC 9420 section 12.4.3.1) per joiner, each with that joiner's secrets only: what a device reads does
/// not grow with the number of devices that were added with it.
fn split(welcome: &Welcome, joiners: &[(Sender, KeyPackageRef)]) -> Result<Vec<frame::Welcome>, MlsError> {
    let bytes = welcome.tls_serialize_detached().map_err(MlsError::internal)?;
    let (suite, mut rest) = bytes.split_at(2);
    VLBytes::tls_deserialize(&mut rest).map_err(MlsError::internal)?;
    let group_info = rest;

    joiners
        .iter()
        .map(|(joiner, reference)| {
            let secrets = welcome
                .secrets()
                .iter()
                .find(|secrets| secrets.new_member() == *reference)
                .ok_or_else(|| MlsError::internal("a welcome without a joiner"))?;
            let secrets = VLBytes::new(secrets.tls_serialize_detached().map_err(MlsError::internal)?);
            let secrets = secrets.tls_serialize_detached().map_err(MlsError::internal)?;
            let payload = [&WELCOME_HEADER, suite, &secrets, group_info].concat();
            Ok(frame::Welcome { account: joiner.account, device: joiner.device, payload: payload.into() })
        })
        .collect()
}
