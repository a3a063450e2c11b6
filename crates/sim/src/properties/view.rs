//! What a device shows of a conversation: in order, nothing twice, and nothing that claims to be sent without being in
//! the log.

use crate::device::Device;
use crate::model::{Place, Who};
use crate::properties::log::pairs;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tidings_client::view::{self, Body, Message, Tick};
use tidings_client::{ClientError, Command, Peer, Reply};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{ConversationId, MessageId};

const PAGE_MESSAGES: u32 = 50;
/// Position of what is not sent yet.
pub const UNSENT: u64 = u64::MAX;

/// What one device shows of one conversation.
pub struct View {
    pub device: Rc<Device>,
    pub place: Place,
    pub conversation: ConversationId,
    pub messages: Vec<Message>,
    /// Its row in the list of conversations.
    pub row: Option<view::Conversation>,
}

impl View {
    /// Says whose view something is about.
    pub fn named(&self, what: impl std::fmt::Display) -> String {
        match self.place {
            Place::With(with) => format!("{} with p{with}: {what}", self.device.name()),
            Place::Group(_) => format!("{} in a group: {what}", self.device.name()),
        }
    }
}

/// Of every device that runs and is logged in.
pub struct Views(pub Vec<View>);

impl Views {
    pub fn read(world: &Rc<World>) -> Result<Self, String> {
        let pairs = pairs(&world.model.borrow());
        let mut views = Vec::new();
        for device in world.active() {
            let rows = match device.ask(Command::Conversations) {
                Some(Ok(Reply::Conversations(rows))) => rows,
                // It crashed on the way, as it was told to.
                None => continue,
                other => return Err(format!("{} does not list its conversations: {other:?}", device.name())),
            };
            let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.conversation, row)).collect();
            for (a, b, conversation) in &pairs {
                let with = if device.who == *a { *b } else { *a };
                if device.who != *a && device.who != *b {
                    continue;
                }
                let Some(messages) = all(&device, *conversation)? else { break };
                let row = rows.remove(conversation);
                views.push(View {
                    device: device.clone(),
                    place: Place::With(with),
                    conversation: *conversation,
                    messages,
                    row,
                });
            }
            let shown: Vec<ConversationId> =
                rows.values().filter(|row| row.kind == ConversationKind::Group).map(|row| row.conversation).collect();
            for group in shown {
                world.model.borrow_mut().group(group);
            }
            let groups: Vec<ConversationId> =
                world.model.borrow().groups.iter().map(|group| group.conversation).collect();
            for conversation in groups {
                let Some(messages) = all(&device, conversation)? else { break };
                let (place, row) = (Place::Group(conversation), rows.remove(&conversation));
                views.push(View { device: device.clone(), place, conversation, messages, row });
            }
        }
        let mut model = world.model.borrow_mut();
        for view in &views {
            model.people[view.device.who].had.extend(view.messages.iter().map(|message| message.message));
        }
        Ok(Self(views))
    }

    pub fn of(&self, who: Who, conversation: ConversationId) -> Option<&View> {
        self.0.iter().find(|view| view.device.who == who && view.conversation == conversation)
    }
}

/// All messages, page by page. `None`: the device crashed meanwhile.
fn all(device: &Rc<Device>, conversation: ConversationId) -> Result<Option<Vec<Message>>, String> {
    let mut all: Vec<Message> = Vec::new();
    loop {
        let before = all.first().map(|message| message.position);
        let of = Peer::Conversation(conversation);
        let mut page = match device.ask(Command::Messages { of, before, limit: PAGE_MESSAGES }) {
            Some(Ok(Reply::Messages(page))) => page,
            Some(Err(ClientError::NoSuchConversation)) => return Ok(Some(all)),
            None => return Ok(None),
            other => return Err(format!("{} does not show its messages: {other:?}", device.name())),
        };
        let full = page.len() == PAGE_MESSAGES as usize;
        page.append(&mut all);
        all = page;
        if !full {
            return Ok(Some(all));
        }
    }
}

/// The newest messages of a conversation, for a person to pick one.
pub fn newest(world: &World, device: &Rc<Device>, place: Place, limit: u32) -> Option<Vec<Message>> {
    let of = Peer::Conversation(world.model.borrow().conversation_of(device.who, place)?);
    match device.ask(Command::Messages { of, before: None, limit }) {
        Some(Ok(Reply::Messages(messages))) => Some(messages),
        _ => None,
    }
}

pub fn check(world: &World, views: &Views) -> Result<(), String> {
    for view in &views.0 {
        check_one(world, view).map_err(|what| view.named(what))?;
    }
    Ok(())
}

fn check_one(world: &World, view: &View) -> Result<(), String> {
    let shadow = world.shadow.borrow();
    let log = shadow.log(view.conversation);
    let mut seen = BTreeSet::<MessageId>::new();
    for pair in view.messages.windows(2) {
        if pair[0].position >= pair[1].position {
            return Err(format!("{} stands before {}", pair[0].message, pair[1].message));
        }
    }
    // A notice may carry the device's own time.
    let said = view.messages.iter().filter(|message| !matches!(message.body, Body::Notice { .. }));
    let placed: Vec<&Message> = said.filter(|message| message.position.seq != UNSENT).collect();
    if let Some(pair) = placed.windows(2).find(|pair| pair[0].time_ms > pair[1].time_ms) {
        return Err(format!("time runs backwards at {}", pair[1].message));
    }
    for message in &view.messages {
        if !seen.insert(message.message) {
            return Err(format!("shows {} twice", message.message));
        }
        if matches!(message.body, Body::Notice { .. }) {
            continue;
        }
        let seq = log.and_then(|log| log.seq(message.message));
        let claims_sent = message.position.seq != UNSENT || message.tick.is_some_and(|tick| tick >= Tick::Sent);
        // Who talks as they like says something else under an id that was used: it is shown under another.
        let repeated = matches!(message.body, Body::Unreadable { .. })
            && log.is_some_and(|log| world.is_evil(log, message.position.seq));
        if claims_sent && seq != Some(message.position.seq) && !repeated {
            let (id, at) = (message.message, message.position.seq);
            return Err(format!("{id} claims to stand at {at}, but is at {seq:?}: {:?}", message.body));
        }
        if matches!(message.body, Body::Unknown) {
            return Err(format!("does not know what {} is", message.message));
        }
    }
    Ok(())
}
