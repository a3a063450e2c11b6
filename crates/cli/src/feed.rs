//! News as programs read them: each with all there is to know, so that nobody has to ask again. `tidings listen` prints
//! them, the agent hands them out.

use crate::driver::{Handle, News};
use crate::failure::Failure;
use crate::show::{plain, time};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use tidings_client::event::Connection;
use tidings_client::view::{self, Position, Tick};
use tidings_client::{Command, Event, Peer, Reply};
use tidings_proto::id::{ConversationId, MessageId};
use utoipa::ToSchema;

/// Messages at the end of a conversation whose ticks are watched.
const WATCHED_MESSAGES: u32 = 100;
/// Conversations of which something is remembered; the least recently active are looked up again when they move.
const WATCHED_CONVERSATIONS: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Item {
    /// A message is new here, one's own too.
    Message { message: plain::Message },
    /// Its text or its reactions changed.
    MessageChanged { message: plain::Message },
    /// A message is not there any more: it disappeared, or was deleted here.
    MessageRemoved { conversation: String, message: String },
    /// A message of one's own reached a further tick.
    Tick { message: plain::Message },
    /// Unread count, name or the like changed.
    Conversation { conversation: plain::Conversation },
    /// Somebody writes, or stopped.
    Typing { conversation: String, account: String, on: bool },
    /// Somebody whose chat is open on this device came or went; nothing of both: not known any more, or not shared.
    Presence { account: String, online: bool, last_seen: Option<String> },
    /// Somebody asks an admin of a group to be let in.
    JoinRequested { conversation: String, account: String },
    /// Somebody says that they forgot the PIN of this number: they get in at this time, unless it is ended with
    /// `tidings lock keep`.
    LockReset { opens: String },
    /// `offline`, `connecting`, `catching_up` or `live`.
    Connection { state: String },
    /// Everything that the server had is here.
    CaughtUp,
    /// Some events were lost; new messages follow, other changes have to be looked up.
    Missed,
    /// This device was logged out.
    LoggedOut { reason: String },
}

impl Item {
    /// The id of the conversation that it is about, if it is about one.
    pub fn conversation(&self) -> Option<&String> {
        match self {
            Self::Message { message } | Self::MessageChanged { message } | Self::Tick { message } => {
                Some(&message.conversation)
            }
            Self::Conversation { conversation } => Some(&conversation.id),
            Self::Typing { conversation, .. }
            | Self::MessageRemoved { conversation, .. }
            | Self::JoinRequested { conversation, .. } => Some(conversation),
            Self::Presence { .. }
            | Self::LockReset { .. }
            | Self::Connection { .. }
            | Self::CaughtUp
            | Self::Missed
            | Self::LoggedOut { .. } => None,
        }
    }
}

/// An item, and the message that it is about, for those who show it to people.
pub type Told = (Item, Option<view::Message>);

#[derive(Default)]
pub struct Feed {
    conversations: HashMap<ConversationId, Watched>,
}

#[derive(Default)]
struct Watched {
    /// The newest message that was handed out.
    newest: Option<Position>,
    /// One's own messages to which a further tick may come.
    own: HashMap<MessageId, Own>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Own {
    tick: Tick,
    /// A hash of what it says, and of what was said about it.
    said: u64,
}

/// What is new about a message that was known.
#[derive(Default)]
struct Changed {
    tick: bool,
    said: bool,
}

impl Feed {
    /// Remembers how things stand, so that what changes later is seen.
    pub async fn start(handle: &Handle) -> Result<Self, Failure> {
        let mut feed = Self::default();
        for row in conversations(handle).await?.into_iter().take(WATCHED_CONVERSATIONS) {
            // Only where a tick may still come the messages themselves matter.
            let awaited = row.last.as_ref().is_some_and(|last| last.tick.is_some_and(|tick| tick < Tick::Read));
            let messages = match awaited {
                true => messages(handle, row.conversation).await?,
                false => row.last.into_iter().collect(),
            };
            let watched = feed.conversations.entry(row.conversation).or_default();
            messages.iter().for_each(|message| watched.saw(message));
        }
        Ok(feed)
    }

    /// What there is to tell of a piece of news.
    pub async fn items(&mut self, handle: &Handle, news: News) -> Result<Vec<Told>, Failure> {
        let event = match news {
            News::Event(event) => event,
            News::Missed => return self.missed(handle).await,
        };
        Ok(match event {
            Event::MessageAdded { message, .. } => match find(handle, message).await? {
                Some(message) => {
                    self.watch(&message);
                    vec![(Item::Message { message: (&message).into() }, Some(message))]
                }
                None => Vec::new(),
            },
            Event::MessageChanged { message, .. } => match find(handle, message).await? {
                Some(message) => {
                    let changed = self.watch(&message);
                    let mut items = Vec::new();
                    if changed.tick {
                        items.push((Item::Tick { message: (&message).into() }, Some(message.clone())));
                    }
                    if changed.said || !changed.tick {
                        items.push((Item::MessageChanged { message: (&message).into() }, Some(message)));
                    }
                    items
                }
                None => Vec::new(),
            },
            Event::MessageRemoved { conversation, message } => {
                let (conversation, message) = (conversation.to_string(), message.to_string());
                vec![(Item::MessageRemoved { conversation, message }, None)]
            }
            Event::JoinRequested { conversation, account } => {
                let (conversation, account) = (conversation.to_string(), account.to_string());
                vec![(Item::JoinRequested { conversation, account }, None)]
            }
            Event::TicksChanged { conversation } => self.ticks(handle, conversation).await?,
            Event::ConversationChanged { conversation } => conversations(handle)
                .await?
                .iter()
                .filter(|row| row.conversation == conversation)
                .map(|row| (Item::Conversation { conversation: row.into() }, None))
                .collect(),
            Event::Typing { conversation, account, on } => {
                let (conversation, account) = (conversation.to_string(), account.to_string());
                vec![(Item::Typing { conversation, account, on }, None)]
            }
            Event::PresenceChanged { account } => {
                let rows = conversations(handle).await?;
                let now = rows.iter().find(|row| row.account == Some(account)).and_then(|row| row.presence);
                let item = Item::Presence {
                    account: account.to_string(),
                    online: now.is_some_and(|presence| presence.online),
                    last_seen: now.and_then(|presence| presence.last_seen_ms).map(time::rfc3339),
                };
                vec![(item, None)]
            }
            Event::Connection { state } => vec![(Item::Connection { state: word(state).into() }, None)],
            // For the person at the terminal who waits for it.
            Event::Transfer { .. } | Event::Restored { .. } | Event::HistorySent { .. } => Vec::new(),
            Event::DeviceLinked { .. } => Vec::new(),
            // The rows whose names changed follow by themselves.
            Event::ContactsChanged => Vec::new(),
            Event::LockReset { opens_ms } => vec![(Item::LockReset { opens: time::rfc3339(opens_ms) }, None)],
            Event::CaughtUp => vec![(Item::CaughtUp, None)],
            Event::LoggedOut { reason } => vec![(Item::LoggedOut { reason }, None)],
        })
    }

    async fn ticks(&mut self, handle: &Handle, of: ConversationId) -> Result<Vec<Told>, Failure> {
        let mut items = Vec::new();
        for message in messages(handle, of).await? {
            if self.watch(&message).tick {
                items.push((Item::Tick { message: (&message).into() }, Some(message)));
            }
        }
        Ok(items)
    }

    async fn missed(&mut self, handle: &Handle) -> Result<Vec<Told>, Failure> {
        let mut items = vec![(Item::Missed, None)];
        for row in conversations(handle).await? {
            let newest = self.conversations.get(&row.conversation).and_then(|watched| watched.newest);
            for message in messages(handle, row.conversation).await? {
                let ticked = self.watch(&message).tick;
                if newest.is_none_or(|newest| message.position > newest) {
                    items.push((Item::Message { message: (&message).into() }, Some(message)));
                } else if ticked {
                    items.push((Item::Tick { message: (&message).into() }, Some(message)));
                }
            }
        }
        Ok(items)
    }

    /// Remembers a message. Says what is new about it if it was known.
    fn watch(&mut self, message: &view::Message) -> Changed {
        if self.conversations.len() >= WATCHED_CONVERSATIONS && !self.conversations.contains_key(&message.conversation)
        {
            self.conversations.clear();
        }
        let watched = self.conversations.entry(message.conversation).or_default();
        let before = watched.own.get(&message.message).copied();
        watched.saw(message);
        match (before, own(message)) {
            (Some(before), Some(now)) => Changed { tick: before.tick != now.tick, said: before.said != now.said },
            _ => Changed::default(),
        }
    }
}

impl Watched {
    fn saw(&mut self, message: &view::Message) {
        // A message that waits has no place yet.
        if message.position.seq != u64::MAX {
            self.newest = self.newest.max(Some(message.position));
        }
        match own(message) {
            // Nothing comes after these.
            Some(Own { tick: Tick::Failed | Tick::Read, .. }) => {
                self.own.remove(&message.message);
            }
            Some(it) => {
                self.own.insert(message.message, it);
            }
            None => {}
        }
    }
}

fn own(message: &view::Message) -> Option<Own> {
    let mut hasher = DefaultHasher::new();
    let said = plain::Message::from(message);
    (said.kind as u8, &said.text, said.edited, said.starred, said.pinned).hash(&mut hasher);
    said.reactions.iter().for_each(|it| (&it.account, &it.emoji).hash(&mut hasher));
    Some(Own { tick: message.tick?, said: hasher.finish() })
}

pub fn word(state: Connection) -> &'static str {
    match state {
        Connection::Offline => "offline",
        Connection::Connecting => "connecting",
        Connection::CatchingUp => "catching_up",
        Connection::Live => "live",
    }
}

pub async fn conversations(handle: &Handle) -> Result<Vec<view::Conversation>, Failure> {
    match handle.call(Command::Conversations).await? {
        Reply::Conversations(rows) => Ok(rows),
        other => Err(crate::command::unexpected(&other)),
    }
}

async fn messages(handle: &Handle, of: ConversationId) -> Result<Vec<view::Message>, Failure> {
    let of = Peer::Conversation(of);
    match handle.call(Command::Messages { of, before: None, limit: WATCHED_MESSAGES }).await? {
        Reply::Messages(messages) => Ok(messages),
        other => Err(crate::command::unexpected(&other)),
    }
}

/// `None` if it is gone again.
async fn find(handle: &Handle, id: MessageId) -> Result<Option<view::Message>, Failure> {
    match handle.ask(Command::Message { id }).await? {
        Ok(Reply::Message(message)) => Ok(Some(message)),
        Ok(other) => Err(crate::command::unexpected(&other)),
        Err(tidings_client::ClientError::NoSuchMessage) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
