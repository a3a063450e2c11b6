//! What some kinds of content are made of. The same types stand in commands and views.

use super::{
    MENTIONS_MAX, OPTION_MAX_BYTES, OPTIONS, PREVIEW_DESCRIPTION_MAX_BYTES, PREVIEW_PICTURE_MAX_BYTES,
    PREVIEW_TITLE_MAX_BYTES, QUESTION_MAX_BYTES, URL_MAX_BYTES,
};
use serde::{Deserialize, Serialize};
use tidings_proto::id::AccountId;
use tidings_proto::payload::Payload;

/// Somebody named in a text: bytes `start .. start + len` of its UTF-8 call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Mention {
    pub account: AccountId,
    pub start: u32,
    pub len: u32,
}

/// What stands behind a link, as the sender's client saw it: whoever reads it asks nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LinkPreview {
    pub url: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// WebP, JPEG or PNG, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub picture: Option<Payload>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    pub question: String,
    pub options: Vec<String>,
    /// Several may be chosen.
    pub multiple: bool,
}

/// An angle in steps of 1e-7 degrees, about a centimetre; in JSON a number of degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(try_from = "f64", into = "f64")]
pub struct Degrees(#[cfg_attr(test, ts(type = "number"))] pub i32);

const STEPS: f64 = 1e7;
const LATITUDE_MAX: u32 = 900_000_000;
const LONGITUDE_MAX: u32 = 1_800_000_000;

impl TryFrom<f64> for Degrees {
    type Error = &'static str;

    fn try_from(degrees: f64) -> Result<Self, Self::Error> {
        let steps = (degrees * STEPS).round();
        if !steps.is_finite() || steps.abs() > f64::from(LONGITUDE_MAX) {
            return Err("an angle is between -180 and 180 degrees");
        }
        Ok(Self(steps as i32))
    }
}

impl From<Degrees> for f64 {
    fn from(degrees: Degrees) -> Self {
        Self::from(degrees.0) / STEPS
    }
}

/// Whether there is such a place.
pub(crate) fn is_place(latitude: Degrees, longitude: Degrees) -> bool {
    latitude.0.unsigned_abs() <= LATITUDE_MAX && longitude.0.unsigned_abs() <= LONGITUDE_MAX
}

/// In order, apart from each other, and each at whole characters.
pub(crate) fn fit(mentions: &[Mention], text: &str) -> bool {
    let mut end = 0;
    mentions.len() <= MENTIONS_MAX
        && mentions.iter().all(|mention| {
            let (start, len) = (mention.start as usize, mention.len as usize);
            let fits =
                len > 0 && start >= end && start.checked_add(len).is_some_and(|to| text.get(start..to).is_some());
            end = start.saturating_add(len);
            fits
        })
}

/// By how it begins.
pub(crate) fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        || bytes.starts_with(b"\xff\xd8\xff")
        || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
}

impl LinkPreview {
    /// The bounds that content.md states.
    pub(crate) fn is_sound(&self) -> bool {
        let link = self.url.starts_with("https://") || self.url.starts_with("http://");
        let harmless = |text: &str| !text.chars().any(char::is_control);
        link && self.url.len() <= URL_MAX_BYTES
            && harmless(&self.url)
            && !self.title.is_empty()
            && self.title.len() <= PREVIEW_TITLE_MAX_BYTES
            && self.description.as_ref().is_none_or(|text| text.len() <= PREVIEW_DESCRIPTION_MAX_BYTES)
            && self
                .picture
                .as_ref()
                .is_none_or(|bytes| bytes.len() <= PREVIEW_PICTURE_MAX_BYTES && is_picture(bytes.as_slice()))
    }
}

impl Poll {
    pub(crate) fn is_sound(&self) -> bool {
        let said = |text: &str, max| !text.trim().is_empty() && text.len() <= max;
        said(&self.question, QUESTION_MAX_BYTES)
            && OPTIONS.contains(&self.options.len())
            && self.options.iter().all(|option| said(option, OPTION_MAX_BYTES))
    }
}
