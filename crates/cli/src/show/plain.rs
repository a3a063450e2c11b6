//! Plain JSON for programs: the same objects in `tidings listen --json`, `tidings history --json` and the agent's API.
//! The core's own types may change with the core; these are a promise.

use super::time;
use serde::{Deserialize, Serialize};
use tidings_client::view;
use tidings_proto::entry::ConversationKind;
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// UUID.
    pub id: String,
    /// UUID.
    pub conversation: String,
    /// Its number in the conversation, once the server has it.
    pub number: Option<u64>,
    /// RFC 3339: the server's time, or this machine's while the message waits.
    pub time: String,
    /// `text`, `poll`, `location`, `contact`, `deleted`, `unreadable` (something is missing that this device cannot
    /// read), `notice` (said by the program, not by a person) or `unknown` (made by a newer version).
    pub kind: Kind,
    /// The text; of a poll its question, of a place or a contact the name; of `unreadable` and `notice` what there is to
    /// say.
    pub text: Option<String>,
    pub from: Person,
    /// Whether this account sent it.
    pub own: bool,
    pub reply_to: Option<Quote>,
    pub reactions: Vec<Reaction>,
    pub edited: bool,
    /// Only of one's own messages.
    pub tick: Option<Tick>,
    /// Why it will never be sent (`tick` is `failed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// By this account, for itself.
    #[serde(default)]
    pub starred: bool,
    /// For everybody in the conversation.
    #[serde(default)]
    pub pinned: bool,
    /// RFC 3339: when it disappears, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disappears: Option<String>,
    /// Said by somebody else before.
    #[serde(default)]
    pub forwarded: bool,
    /// Whom the text names.
    #[serde(default)]
    pub mentions: Vec<Mention>,
    /// Whether it names this account.
    #[serde(default)]
    pub mentions_me: bool,
    /// What stands behind a link in the text, as the sender saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// The admin who deleted it, if its sender did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<Person>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The number of a contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Bytes `start` to `start + len` of the text's UTF-8 call somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mention {
    pub who: Person,
    pub start: u32,
    pub len: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    pub url: String,
    pub title: String,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Poll {
    /// Several may be chosen.
    pub multiple: bool,
    pub options: Vec<PollOption>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollOption {
    pub text: String,
    pub voters: Vec<Person>,
    /// Whether this account chose it.
    pub mine: bool,
}

/// In degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    pub latitude: f64,
    pub longitude: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    Poll,
    Location,
    Contact,
    Deleted,
    Unreadable,
    Notice,
    Unknown,
}

/// `clock`: will be sent. `sent`: on the server's disk. `delivered`: on a device of every other member. `read`: seen by
/// every other member. `failed`: will never be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    Failed,
    Clock,
    Sent,
    Delivered,
    Read,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// UUID.
    pub account: String,
    /// A name, else the number, else the account's id.
    pub title: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    pub id: String,
    /// The account that wrote it, if it is known.
    pub account: String,
    /// The beginning of its text, if it is here.
    pub text: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    pub account: String,
    pub emoji: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    /// UUID.
    pub id: String,
    /// `direct`, `group`, or `self` (notes to oneself).
    #[schema(value_type = String)]
    pub kind: ConversationKind,
    /// Of a group its name; its `account` is empty then.
    pub with: Person,
    /// False once this account left a group or was removed.
    pub member: bool,
    /// The other person's number, if it is known.
    pub phone: Option<String>,
    pub unread: u64,
    pub last: Option<Box<Message>>,
    pub blocked: bool,
    /// Whether the safety number was confirmed.
    pub verified: bool,
    /// At the top of this account's list.
    #[serde(default)]
    pub pinned: bool,
    #[serde(default)]
    pub archived: bool,
    /// RFC 3339; the year 9999 is for ever. `null`: not muted.
    #[serde(default)]
    pub muted_until: Option<String>,
    /// The person wants to come back to it, whatever `unread` says.
    #[serde(default)]
    pub marked_unread: bool,
    /// What was written and not sent.
    #[serde(default)]
    pub draft: Option<String>,
    /// Ids of the messages that are pinned for everybody, pinned last first.
    #[serde(default)]
    pub pins: Vec<String>,
    /// How many seconds what is said now stays; `null`: for good.
    #[serde(default)]
    pub timer_s: Option<u64>,
    /// What the other person says about themselves.
    #[serde(default)]
    pub about: Option<String>,
    /// Names the picture of the group or of the other person: another one has another name.
    #[serde(default)]
    pub picture: Option<String>,
}

impl From<&view::Message> for Message {
    fn from(message: &view::Message) -> Self {
        let (kind, text) = match &message.body {
            view::Body::Text { text } => (Kind::Text, Some(text.clone())),
            view::Body::Poll { question, .. } => (Kind::Poll, Some(question.clone())),
            view::Body::Location { name, .. } => (Kind::Location, name.clone()),
            view::Body::Contact { name, .. } => (Kind::Contact, Some(name.clone())),
            view::Body::Deleted => (Kind::Deleted, None),
            view::Body::Unreadable { why } => (Kind::Unreadable, Some(why.clone())),
            view::Body::Notice { notice } => (Kind::Notice, Some(super::line::notice(notice))),
            view::Body::Unknown => (Kind::Unknown, None),
        };
        Self {
            id: message.message.to_string(),
            conversation: message.conversation.to_string(),
            number: number(message),
            time: time::rfc3339(message.time_ms),
            kind,
            text,
            from: Person { account: message.sender.to_string(), title: message.sender_title.clone() },
            own: message.own,
            reply_to: message.reply_to.as_ref().map(|quote| Quote {
                id: quote.message.to_string(),
                account: quote.sender.to_string(),
                text: quote.text.clone(),
            }),
            reactions: message
                .reactions
                .iter()
                .map(|reaction| Reaction { account: reaction.account.to_string(), emoji: reaction.emoji.clone() })
                .collect(),
            edited: message.edited,
            tick: message.tick.map(Tick::from),
            failure: message.failure.clone(),
            starred: message.starred,
            pinned: message.pinned,
            disappears: message.expires_ms.map(time::rfc3339),
            forwarded: message.forwarded,
            mentions: message
                .mentions
                .iter()
                .map(|it| Mention { who: (&it.who).into(), start: it.start, len: it.len })
                .collect(),
            mentions_me: message.mentions_me,
            preview: message.preview.as_ref().map(|it| Preview {
                url: it.url.clone(),
                title: it.title.clone(),
                description: it.description.clone(),
            }),
            deleted_by: message.deleted_by.as_ref().map(Person::from),
            poll: poll(&message.body),
            location: match message.body {
                view::Body::Location { latitude, longitude, .. } => {
                    Some(Location { latitude: latitude.into(), longitude: longitude.into() })
                }
                _ => None,
            },
            phone: match &message.body {
                view::Body::Contact { phone, .. } => Some(phone.clone()),
                _ => None,
            },
        }
    }
}

fn poll(body: &view::Body) -> Option<Poll> {
    let view::Body::Poll { multiple, options, .. } = body else { return None };
    let option = |it: &view::PollOption| PollOption {
        text: it.text.clone(),
        voters: it.voters.iter().map(Person::from).collect(),
        mine: it.mine,
    };
    Some(Poll { multiple: *multiple, options: options.iter().map(option).collect() })
}

impl From<&view::Person> for Person {
    fn from(person: &view::Person) -> Self {
        Self { account: person.account.to_string(), title: person.title.clone() }
    }
}

impl From<&view::Conversation> for Conversation {
    fn from(row: &view::Conversation) -> Self {
        Self {
            id: row.conversation.to_string(),
            kind: row.kind,
            member: row.member,
            with: Person {
                account: row.account.map(|it| it.to_string()).unwrap_or_default(),
                title: row.title.clone(),
            },
            phone: row.phone.clone(),
            unread: row.unread,
            last: row.last.as_ref().map(|last| Box::new(last.into())),
            blocked: row.blocked,
            verified: row.verified,
            pinned: row.pinned,
            archived: row.archived,
            muted_until: row.muted_until_ms.map(time::rfc3339),
            marked_unread: row.marked_unread,
            draft: row.draft.clone(),
            pins: row.pins.iter().map(ToString::to_string).collect(),
            timer_s: row.timer_s,
            about: row.about.clone(),
            picture: row.picture.clone(),
        }
    }
}

impl From<view::Tick> for Tick {
    fn from(tick: view::Tick) -> Self {
        match tick {
            view::Tick::Failed => Self::Failed,
            view::Tick::Clock => Self::Clock,
            view::Tick::Sent => Self::Sent,
            view::Tick::Delivered => Self::Delivered,
            view::Tick::Read => Self::Read,
        }
    }
}

/// A message's number in its conversation: what people type to mean it.
pub fn number(message: &view::Message) -> Option<u64> {
    (message.position.seq != u64::MAX).then_some(message.position.seq)
}
