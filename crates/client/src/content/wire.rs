//! Content in bytes, and back. docs/content.md names every key.

use super::parts::{self, Degrees, LinkPreview, Mention, Poll};
use super::{
    ABOUT_MAX_BYTES, Content, ContentError, DESCRIPTION_MAX_BYTES, EMOJI_MAX_BYTES, NAME_MAX_BYTES, OPTIONS,
    PHONE_MAX_BYTES, PICTURE_MAX_BYTES, PLACE_MAX_BYTES, TEXT_MAX_BYTES, Target, VERSION,
};
use serde::{Deserialize, Serialize};
use tidings_proto::codec;
use tidings_proto::id::{AccountId, MessageId};
use tidings_proto::limit::{TIMER_MAX_S, TIMER_MIN_S};
use tidings_proto::payload::Payload;

pub(super) const KIND_TEXT: u64 = 1;
const KIND_REACTION: u64 = 2;
const KIND_EDIT: u64 = 3;
pub(super) const KIND_DELETE: u64 = 4;
const KIND_PROFILE: u64 = 5;
const KIND_GROUP_PROFILE: u64 = 6;
const KIND_PROFILE_REQUEST: u64 = 7;
const KIND_TIMER: u64 = 8;
const KIND_POLL: u64 = 9;
const KIND_VOTE: u64 = 10;
const KIND_LOCATION: u64 = 11;
const KIND_CONTACT: u64 = 12;
const KIND_PIN: u64 = 20;

/// The map. The order of the fields is the order of the bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct Wire {
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
    picture: Option<Payload>,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    life_s: Option<u64>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    on: Option<bool>,
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    forwarded: bool,
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<(AccountId, u32, u32)>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    preview: Option<WirePreview>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(rename = "q", default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    choices: Vec<u32>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    place: Option<(i32, i32)>,
}

#[derive(Serialize, Deserialize)]
struct WireTarget {
    #[serde(rename = "i")]
    message: MessageId,
    #[serde(rename = "h")]
    digest: Payload,
}

#[derive(Serialize, Deserialize)]
struct WirePreview {
    #[serde(rename = "u")]
    url: String,
    #[serde(rename = "t")]
    title: String,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    picture: Option<Payload>,
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

impl Wire {
    pub(super) fn new(kind: u64, id: MessageId) -> Self {
        Self {
            kind,
            id,
            target: None,
            text: None,
            emoji: None,
            phone: None,
            name: None,
            description: None,
            picture: None,
            life_s: None,
            on: None,
            forwarded: false,
            mentions: Vec::new(),
            preview: None,
            about: None,
            options: Vec::new(),
            choices: Vec::new(),
            place: None,
        }
    }
}

impl Content {
    /// The bytes for a message with this id.
    pub fn encode(&self, id: MessageId) -> Vec<u8> {
        self.encode_for(id, None)
    }

    /// Of a message that is kept only so long; see [`lifetime_s`].
    pub fn encode_for(&self, id: MessageId, lifetime_s: Option<u64>) -> Vec<u8> {
        let mut wire = Wire::new(self.kind(), id);
        wire.life_s = lifetime_s;
        // Where it is the timer, this sets it.
        self.fill(&mut wire);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&codec::to_cbor(&wire));
        bytes
    }

    fn kind(&self) -> u64 {
        match self {
            Self::Text { .. } => KIND_TEXT,
            Self::Reaction { .. } => KIND_REACTION,
            Self::Edit { .. } => KIND_EDIT,
            Self::Delete { .. } => KIND_DELETE,
            Self::Profile { .. } => KIND_PROFILE,
            Self::GroupProfile { .. } => KIND_GROUP_PROFILE,
            Self::ProfileRequest => KIND_PROFILE_REQUEST,
            Self::Timer { .. } => KIND_TIMER,
            Self::Poll(_) => KIND_POLL,
            Self::Vote { .. } => KIND_VOTE,
            Self::Location { .. } => KIND_LOCATION,
            Self::Contact { .. } => KIND_CONTACT,
            Self::Pin { .. } => KIND_PIN,
            Self::Unknown => 0,
        }
    }

    fn fill(&self, wire: &mut Wire) {
        match self.clone() {
            Self::Text { text, reply_to, forwarded, mentions, preview } => {
                wire.text = Some(text);
                wire.target = reply_to.map(Into::into);
                wire.forwarded = forwarded;
                wire.mentions = mentions.into_iter().map(|it| (it.account, it.start, it.len)).collect();
                wire.preview = preview.map(|it| (*it).into());
            }
            Self::Reaction { to, emoji } => {
                wire.target = Some(to.into());
                wire.emoji = emoji;
            }
            Self::Edit { of, text } => {
                wire.target = Some(of.into());
                wire.text = Some(text);
            }
            Self::Delete { of } => wire.target = Some(of.into()),
            Self::Pin { of, on } => {
                wire.target = Some(of.into());
                wire.on = Some(on);
            }
            Self::Profile { phone, name, about, picture } => {
                wire.phone = phone;
                wire.name = name;
                wire.about = about;
                wire.picture = picture;
            }
            Self::GroupProfile { name, description, picture, timer_s } => {
                wire.name = name;
                wire.description = description;
                wire.picture = picture;
                wire.life_s = timer_s;
            }
            Self::Timer { seconds } => wire.life_s = seconds,
            Self::Poll(Poll { question, options, multiple }) => {
                wire.text = Some(question);
                wire.options = options;
                wire.on = multiple.then_some(true);
            }
            Self::Vote { poll, choices } => {
                wire.target = Some(poll.into());
                wire.choices = choices;
            }
            Self::Location { latitude, longitude, name, forwarded } => {
                wire.place = Some((latitude.0, longitude.0));
                wire.name = name;
                wire.forwarded = forwarded;
            }
            Self::Contact { name, phone, forwarded } => {
                wire.name = Some(name);
                wire.phone = Some(phone);
                wire.forwarded = forwarded;
            }
            Self::ProfileRequest | Self::Unknown => {}
        }
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
        if !matches!(head.kind, KIND_TEXT..=KIND_CONTACT | KIND_PIN) {
            return Ok(Self::Unknown);
        }
        codec::from_cbor::<Wire>(map).map_err(|_| ContentError::Malformed)?.read()
    }
}

impl Wire {
    fn read(self) -> Result<Content, ContentError> {
        let target = self.target.map(Target::try_from).transpose()?;
        let about = target.ok_or(ContentError::Malformed);
        let text = bounded(self.text, TEXT_MAX_BYTES)?;
        let forwarded = self.forwarded;
        Ok(match self.kind {
            KIND_TEXT => {
                let text = text.ok_or(ContentError::Malformed)?;
                let mention = |(account, start, len)| Mention { account, start, len };
                let mentions: Vec<Mention> = self.mentions.into_iter().map(mention).collect();
                let preview = self.preview.map(|it| Box::new(LinkPreview::from(it)));
                let sound = parts::fit(&mentions, &text) && preview.as_ref().is_none_or(|it| it.is_sound());
                sound_or(sound, Content::Text { text, reply_to: target, forwarded, mentions, preview })?
            }
            KIND_REACTION => Content::Reaction { to: about?, emoji: bounded(self.emoji, EMOJI_MAX_BYTES)? },
            KIND_EDIT => Content::Edit { of: about?, text: text.ok_or(ContentError::Malformed)? },
            KIND_DELETE => Content::Delete { of: about? },
            KIND_PIN => Content::Pin { of: about?, on: self.on.unwrap_or(true) },
            KIND_GROUP_PROFILE => Content::GroupProfile {
                name: bounded(self.name, NAME_MAX_BYTES)?,
                description: bounded(self.description, DESCRIPTION_MAX_BYTES)?,
                picture: picture(self.picture)?,
                timer_s: self.life_s,
            },
            KIND_PROFILE_REQUEST => Content::ProfileRequest,
            KIND_TIMER => Content::Timer { seconds: self.life_s },
            KIND_POLL => {
                let question = text.ok_or(ContentError::Malformed)?;
                let poll = Poll { question, options: self.options, multiple: self.on.unwrap_or(false) };
                sound_or(poll.is_sound(), Content::Poll(poll))?
            }
            KIND_VOTE if self.choices.len() > *OPTIONS.end() => return Err(ContentError::TooLong),
            KIND_VOTE => Content::Vote { poll: about?, choices: self.choices },
            KIND_LOCATION => {
                let (latitude, longitude) = self.place.ok_or(ContentError::Malformed)?;
                let (latitude, longitude) = (Degrees(latitude), Degrees(longitude));
                let name = bounded(self.name, PLACE_MAX_BYTES)?;
                let place = Content::Location { latitude, longitude, name, forwarded };
                sound_or(parts::is_place(latitude, longitude), place)?
            }
            KIND_CONTACT => Content::Contact {
                name: bounded(self.name, NAME_MAX_BYTES)?.ok_or(ContentError::Malformed)?,
                phone: bounded(self.phone, PHONE_MAX_BYTES)?.ok_or(ContentError::Malformed)?,
                forwarded,
            },
            _ => Content::Profile {
                phone: bounded(self.phone, PHONE_MAX_BYTES)?,
                name: bounded(self.name, NAME_MAX_BYTES)?,
                about: bounded(self.about, ABOUT_MAX_BYTES)?,
                picture: picture(self.picture)?,
            },
        })
    }
}

/// What is no picture is none.
fn picture(bytes: Option<Payload>) -> Result<Option<Payload>, ContentError> {
    if bytes.as_ref().is_some_and(|bytes| bytes.len() > PICTURE_MAX_BYTES) {
        return Err(ContentError::TooLong);
    }
    Ok(bytes.filter(|bytes| parts::is_picture(bytes.as_slice())))
}

fn sound_or(sound: bool, content: Content) -> Result<Content, ContentError> {
    if sound { Ok(content) } else { Err(ContentError::Malformed) }
}

fn bounded(text: Option<String>, max_bytes: usize) -> Result<Option<String>, ContentError> {
    match text {
        Some(text) if text.len() > max_bytes => Err(ContentError::TooLong),
        other => Ok(other),
    }
}

impl From<LinkPreview> for WirePreview {
    fn from(preview: LinkPreview) -> Self {
        let LinkPreview { url, title, description, picture } = preview;
        Self { url, title, description, picture }
    }
}

impl From<WirePreview> for LinkPreview {
    fn from(wire: WirePreview) -> Self {
        let WirePreview { url, title, description, picture } = wire;
        Self { url, title, description, picture }
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
