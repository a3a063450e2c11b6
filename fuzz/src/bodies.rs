//! All bodies of the HTTP API, numbered in their order here.

use crate::same_after_a_round_trip;
use tidings_proto::codec::Format;
use tidings_proto::problem::Problem;
use tidings_proto::{account, backup, http as body, report};

macro_rules! bodies {
    ($($body:ty,)*) => {
        /// One decoder for each body.
        const DECODERS: &[fn(&[u8])] = &[$(|json| same_after_a_round_trip::<$body>(Format::Json, json),)*];
    };
}

bodies![
    body::Register,
    body::Registered,
    body::Login,
    body::Tokens,
    body::Refresh,
    body::Revoke,
    body::Me,
    body::Devices,
    body::PutCredential,
    body::PutKeyPackages,
    body::KeyPackageCount,
    body::AccountDevices,
    body::Claimed,
    body::Lookup,
    body::Found,
    body::Create,
    body::Created,
    body::Conversations,
    body::Conversation,
    body::GroupInfo,
    body::Post,
    body::Posted,
    body::Messages,
    body::PutReceipts,
    body::PutCursors,
    body::Synced,
    body::Blocks,
    Problem,
    body::LinkOpened,
    body::PutLink,
    body::LinkBlob,
    body::RedeemLink,
    body::RevokeDevice,
    body::RenameDevice,
    body::PutMembers,
    body::PostLeave,
    body::Leavers,
    body::Join,
    body::InvitePreview,
    body::JoinRequests,
    body::Watermarks,
    body::Privacy,
    body::PutContacts,
    account::DeleteAccount,
    account::PutLock,
    account::Lock,
    backup::Blobs,
    backup::Backup,
    backup::PutBackupKey,
    backup::OpenBackupKey,
    backup::OpenedBackupKey,
    backup::PutBackup,
    report::PostReport,
    report::Reported,
];

pub fn decode(which: u8, json: &[u8]) {
    DECODERS[usize::from(which) % DECODERS.len()](json);
}
