//! The 16-byte names of things. In JSON they read as UUIDs, in CBOR they are byte strings.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub struct $name(#[cfg_attr(feature = "ts", ts(type = "string"))] Uuid);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A person. Random.
    AccountId
}
id! {
    /// One installation of an account. Random.
    DeviceId
}
id! {
    /// A conversation. For a direct one it follows from its two accounts, see [`ConversationId::direct`].
    ConversationId
}
id! {
    /// Made by the sending client, once per message (UUIDv7, RFC 9562). With the sending device it is the idempotency key.
    MessageId
}
id! {
    /// A log: the id of a conversation, or of a device (its inbox).
    LogId
}

id! {
    /// A blob of an account, see [`crate::backup`]. Random, made by the client.
    BlobId
}

id! {
    /// Where a new device waits to be linked. Random.
    LinkId
}

impl From<ConversationId> for LogId {
    fn from(id: ConversationId) -> Self {
        Self(id.0)
    }
}

impl From<DeviceId> for LogId {
    fn from(id: DeviceId) -> Self {
        Self(id.0)
    }
}

impl LogId {
    /// The same bytes as a conversation; the caller knows that this log is no inbox.
    pub fn as_conversation(&self) -> ConversationId {
        ConversationId(self.0)
    }
}

impl ConversationId {
    /// The one direct conversation of two accounts, whichever of them asks: UUIDv8 of a hash over the sorted pair,
    /// so that "exactly one per pair" is a row that is absent or not.
    pub fn direct(a: AccountId, b: AccountId) -> Self {
        use sha2::{Digest, Sha256};
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let hash = Sha256::new()
            .chain_update(b"tidings direct conversation v1")
            .chain_update(low.as_bytes())
            .chain_update(high.as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl ConversationId {
    /// Notes to oneself: the one self chat of an account.
    pub fn self_chat(account: AccountId) -> Self {
        Self::direct(account, account)
    }

    /// Of a new group: random (UUIDv4).
    pub fn group(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid())
    }

    /// Whether it may be a group's. Those of direct conversations and self chats follow from accounts (UUIDv8).
    pub fn may_be_group(&self) -> bool {
        self.0.get_version_num() != 8
    }
}

impl MessageId {
    /// A fresh id: `now_ms` since 1970 and ten random bytes (UUIDv7).
    pub fn new(now_ms: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_one_direct_conversation_from_either_side() {
        let (a, b) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        assert_eq!(ConversationId::direct(a, b), ConversationId::direct(b, a));
        assert_ne!(ConversationId::direct(a, b), ConversationId::direct(a, a));
        insta::assert_snapshot!(ConversationId::direct(a, b), @"701d2beb-a892-865c-9867-080c269333f1");
    }

    #[test]
    fn message_ids_sort_by_time() {
        assert!(MessageId::new(1, [255; 10]) < MessageId::new(2, [0; 10]));
    }
}
