//! The format inside a message: what MLS encrypts. docs/content.md is the specification.
//!
//! * `wire`: the bytes. * `parts`: what some kinds are made of.
//!
//! One version byte, then one CBOR map with short text keys. The semantics are those of the MIMI content draft: an
//! edit or a deletion *replaces* a message, a reaction and a reply point at one. What points names the message's id
//! and the [`digest`] of its content, so nobody in between can make it point at something else; and a message names
//! its own id, so the server cannot give it another one.
//!
//! Members and kinds that this version does not know are kept and skipped, never refused: newer clients talk to older.

mod parts;
mod wire;

pub use parts::{Degrees, LinkPreview, Mention, Poll};
pub(crate) use parts::{fit, is_picture, is_place};
pub use wire::lifetime_s;

use sha2::{Digest as _, Sha256};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::payload::Payload;

/// First byte of every content.
pub const VERSION: u8 = 1;
/// A text, and an edited one.
pub const TEXT_MAX_BYTES: usize = 32 * 1024;
/// One emoji may be a sequence of many code points.
pub const EMOJI_MAX_BYTES: usize = 64;
pub const NAME_MAX_BYTES: usize = 64;
/// A group's description.
pub const DESCRIPTION_MAX_BYTES: usize = 2 * 1024;
/// What somebody says about themselves.
pub const ABOUT_MAX_BYTES: usize = 512;
/// The picture of a group or of a person: WebP, JPEG or PNG, small enough to travel in a message.
pub const PICTURE_MAX_BYTES: usize = 24 * 1024;
/// People named in one text.
pub const MENTIONS_MAX: usize = 64;
/// What a poll asks, and how many answers it has of which length.
pub const QUESTION_MAX_BYTES: usize = 1024;
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;
pub const OPTION_MAX_BYTES: usize = 256;
/// The name of a place.
pub const PLACE_MAX_BYTES: usize = 256;
/// Parts of a link's preview.
pub const URL_MAX_BYTES: usize = 2 * 1024;
pub const PREVIEW_TITLE_MAX_BYTES: usize = 256;
pub const PREVIEW_DESCRIPTION_MAX_BYTES: usize = 1024;
pub const PREVIEW_PICTURE_MAX_BYTES: usize = 16 * 1024;
pub const PHONE_MAX_BYTES: usize = 20;
const DIGEST_BYTES: usize = 16;

/// First 16 bytes of a SHA-256 over who said what, where, under which id: see [`digest`].
pub type ContentDigest = [u8; DIGEST_BYTES];

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Text {
        text: String,
        reply_to: Option<Target>,
        /// Said by somebody before, who is not named.
        forwarded: bool,
        mentions: Vec<Mention>,
        preview: Option<Box<LinkPreview>>,
    },
    /// Gives, changes or (with `None`) takes back the sender's one reaction to a message.
    Reaction {
        to: Target,
        emoji: Option<String>,
    },
    /// A new text for one of the sender's own messages.
    Edit {
        of: Target,
        text: String,
    },
    /// Takes a message back, for everyone: one of the sender's own, or as an admin of a group any.
    Delete {
        of: Target,
    },
    /// Pins a message for everybody, or takes it off.
    Pin {
        of: Target,
        on: bool,
    },
    /// How the sender may be called and reached. The number is a claim: whoever shows it asks the server first.
    Profile {
        phone: Option<String>,
        name: Option<String>,
        about: Option<String>,
        picture: Option<Payload>,
    },
    /// How a group presents itself, all of it: what is absent there is not.
    GroupProfile {
        name: Option<String>,
        description: Option<String>,
        picture: Option<Payload>,
        /// The disappearing timer in seconds.
        timer_s: Option<u64>,
    },
    /// Asks the members of a group for its profile.
    ProfileRequest,
    /// How long messages of a direct conversation stay from now on; `None`: for good.
    Timer {
        seconds: Option<u64>,
    },
    Poll(Poll),
    /// The sender's choices, by their place in the poll; they replace earlier ones.
    Vote {
        poll: Target,
        choices: Vec<u32>,
    },
    Location {
        latitude: Degrees,
        longitude: Degrees,
        name: Option<String>,
        forwarded: bool,
    },
    Contact {
        name: String,
        phone: String,
        forwarded: bool,
    },
    /// Of a newer version.
    Unknown,
}

impl Content {
    /// A text and nothing else.
    pub fn text(text: impl Into<String>, reply_to: Option<Target>) -> Self {
        Self::Text { text: text.into(), reply_to, forwarded: false, mentions: Vec::new(), preview: None }
    }

    /// Whether it only changes something that was shown before: such a message neither counts as unread nor rings.
    pub fn is_silent(&self) -> bool {
        !matches!(
            self,
            Self::Text { .. } | Self::Poll(_) | Self::Location { .. } | Self::Contact { .. } | Self::Unknown
        )
    }

    /// Whether a text says it all.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Text { forwarded: false, mentions, preview: None, .. } if mentions.is_empty())
    }
}

/// The message that another one is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub message: MessageId,
    pub digest: ContentDigest,
}

/// Why bytes are no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    #[error("it is empty")]
    Empty,
    #[error("it is not of the documented form")]
    Malformed,
    #[error("it names another message id than the server")]
    OtherMessage,
    #[error("a part of it is longer than allowed")]
    TooLong,
}

/// What binds a reply, a reaction, an edit or a deletion to the very message it is about.
pub fn digest(conversation: ConversationId, sender: AccountId, id: MessageId, content: &[u8]) -> ContentDigest {
    let hash = Sha256::new()
        .chain_update(b"tidings content v1")
        .chain_update(conversation.as_bytes())
        .chain_update(sender.as_bytes())
        .chain_update(id.as_bytes())
        .chain_update(content)
        .finalize();
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&hash[..DIGEST_BYTES]);
    digest
}

#[cfg(test)]
mod tests;
