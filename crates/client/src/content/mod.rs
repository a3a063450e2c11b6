//! The format inside a message: what MLS encrypts. docs/content.md is the specification.
//!
//! One version byte, then one CBOR map with short text keys. The semantics are those of the MIMI content draft: an
//! edit or a deletion *replaces* a message, a reaction and a reply point at one. What points names the message's id
//! and the [`digest`] of its content, so nobody in between can make it point at something else; and a message names
//! its own id, so the server cannot give it another one.
//!
//! Members and kinds that this version does not know are kept and skipped, never refused: newer clients talk to older.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidings_proto::codec;
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::limit::{TIMER_MAX_S, TIMER_MIN_S};
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
/// What names a picture.
pub const PICTURE_MAX_BYTES: usize = 512;
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
    /// Takes one of the sender's own messages back, for everyone.
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
    },
    /// How a group presents itself, all of it: what is absent there is not.
    GroupProfile {
        name: Option<String>,
        description: Option<String>,
        /// Names the picture.
        picture: Option<String>,
        /// The disappearing timer in seconds.
        timer_s: Option<u64>,
    },
    /// Asks the members of a group for its profile.
    ProfileRequest,
    /// How long messages of a direct conversation stay from now on; `None`: for good.
    Timer {
        seconds: Option<u64>,
    },
    /// Of a newer version.
    Unknown,
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

const KIND_TEXT: u64 = 1;
const KIND_REACTION: u64 = 2;
const KIND_EDIT: u64 = 3;
const KIND_DELETE: u64 = 4;
const KIND_PROFILE: u64 = 5;
const KIND_GROUP_PROFILE: u64 = 6;
const KIND_PROFILE_REQUEST: u64 = 7;
const KIND_TIMER: u64 = 8;
const KIND_PIN: u64 = 20;

/// The map. The order of the fields is the order of the bytes.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "k")]
    kind: u64,
    #[serde(rename = "i")]
    id: MessageId,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    target: Option<WireTarget>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    emoji: Option<String>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    timer_s: Option<u64>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    on: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct WireTarget {
    #[serde(rename = "i")]
    message: MessageId,
    #[serde(rename = "h")]
    digest: Payload,
}

/// What is read first: enough to tell a kind of a newer version from a malformed one of this version.
#[derive(Deserialize)]
struct WireHead {
    #[serde(rename = "k")]
    kind: u64,
    #[serde(rename = "i")]
    id: MessageId,
    #[serde(rename = "x", default)]
    seconds: Option<u64>,
}

/// How long a message may be kept, from the time that its entry has. Known of kinds of newer versions too.
pub fn lifetime_s(bytes: &[u8]) -> Option<u64> {
    let (&version, map) = bytes.split_first()?;
    let head: WireHead = codec::from_cbor(map).ok().filter(|_| version == VERSION)?;
    let seconds = head.seconds.filter(|_| !matches!(head.kind, KIND_GROUP_PROFILE | KIND_TIMER))?;
    Some(seconds.clamp(TIMER_MIN_S, TIMER_MAX_S))
}

impl Content {
    /// Whether it only changes something that was shown before: such a message neither counts as unread nor rings.
    pub fn is_silent(&self) -> bool {
        !matches!(self, Self::Text { .. } | Self::Unknown)
    }

    /// The bytes for a message with this id.
    pub fn encode(&self, id: MessageId) -> Vec<u8> {
        self.encode_for(id, None)
    }

    /// Of a message that is kept only so long; see [`lifetime_s`].
    pub fn encode_for(&self, id: MessageId, lifetime_s: Option<u64>) -> Vec<u8> {
        let mut wire = Wire {
            kind: 0,
            id,
            target: None,
            text: None,
            emoji: None,
            phone: None,
            name: None,
            description: None,
            picture: None,
            timer_s: lifetime_s,
            on: None,
        };
        match self {
            Self::Text { text, reply_to } => {
                wire.kind = KIND_TEXT;
                wire.text = Some(text.clone());
                wire.target = reply_to.map(Into::into);
            }
            Self::Reaction { to, emoji } => {
                wire.kind = KIND_REACTION;
                wire.target = Some((*to).into());
                wire.emoji = emoji.clone();
            }
            Self::Edit { of, text } => {
                wire.kind = KIND_EDIT;
                wire.target = Some((*of).into());
                wire.text = Some(text.clone());
            }
            Self::Delete { of } => {
                wire.kind = KIND_DELETE;
                wire.target = Some((*of).into());
            }
            Self::Pin { of, on } => {
                wire.kind = KIND_PIN;
                wire.target = Some((*of).into());
                wire.on = Some(*on);
            }
            Self::Profile { phone, name } => {
                wire.kind = KIND_PROFILE;
                wire.phone = phone.clone();
                wire.name = name.clone();
            }
            Self::GroupProfile { name, description, picture, timer_s } => {
                wire.kind = KIND_GROUP_PROFILE;
                wire.name = name.clone();
                wire.description = description.clone();
                wire.picture = picture.clone();
                wire.timer_s = *timer_s;
            }
            Self::ProfileRequest => wire.kind = KIND_PROFILE_REQUEST,
            Self::Timer { seconds } => {
                wire.kind = KIND_TIMER;
                wire.timer_s = *seconds;
            }
            Self::Unknown => {}
        }
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&codec::to_cbor(&wire));
        bytes
    }

    /// Reads the content of the message that the server knows as `id`.
    pub fn decode(bytes: &[u8], id: MessageId) -> Result<Self, ContentError> {
        let (&version, map) = bytes.split_first().ok_or(ContentError::Empty)?;
        if version != VERSION {
            return Ok(Self::Unknown);
        }
        let head: WireHead = codec::from_cbor(map).map_err(|_| ContentError::Malformed)?;
        if head.id != id {
            return Err(ContentError::OtherMessage);
        }
        if !matches!(head.kind, KIND_TEXT..=KIND_TIMER | KIND_PIN) {
            return Ok(Self::Unknown);
        }
        let wire: Wire = codec::from_cbor(map).map_err(|_| ContentError::Malformed)?;
        let target = wire.target.map(Target::try_from).transpose()?;
        let about = target.ok_or(ContentError::Malformed);
        let text = bounded(wire.text, TEXT_MAX_BYTES)?;
        let content = match head.kind {
            KIND_TEXT => Self::Text { text: text.ok_or(ContentError::Malformed)?, reply_to: target },
            KIND_REACTION => Self::Reaction { to: about?, emoji: bounded(wire.emoji, EMOJI_MAX_BYTES)? },
            KIND_EDIT => Self::Edit { of: about?, text: text.ok_or(ContentError::Malformed)? },
            KIND_DELETE => Self::Delete { of: about? },
            KIND_PIN => Self::Pin { of: about?, on: wire.on.unwrap_or(true) },
            KIND_GROUP_PROFILE => Self::GroupProfile {
                name: bounded(wire.name, NAME_MAX_BYTES)?,
                description: bounded(wire.description, DESCRIPTION_MAX_BYTES)?,
                picture: bounded(wire.picture, PICTURE_MAX_BYTES)?,
                timer_s: wire.timer_s,
            },
            KIND_PROFILE_REQUEST => Self::ProfileRequest,
            KIND_TIMER => Self::Timer { seconds: wire.timer_s },
            _ => Self::Profile {
                phone: bounded(wire.phone, PHONE_MAX_BYTES)?,
                name: bounded(wire.name, NAME_MAX_BYTES)?,
            },
        };
        Ok(content)
    }
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

fn bounded(text: Option<String>, max_bytes: usize) -> Result<Option<String>, ContentError> {
    match text {
        Some(text) if text.len() > max_bytes => Err(ContentError::TooLong),
        other => Ok(other),
    }
}

impl From<Target> for WireTarget {
    fn from(target: Target) -> Self {
        Self { message: target.message, digest: target.digest.to_vec().into() }
    }
}

impl TryFrom<WireTarget> for Target {
    type Error = ContentError;

    fn try_from(wire: WireTarget) -> Result<Self, ContentError> {
        let digest = wire.digest.as_slice().try_into().map_err(|_| ContentError::Malformed)?;
        Ok(Self { message: wire.message, digest })
    }
}

#[cfg(test)]
mod tests;
