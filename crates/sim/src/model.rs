//! What must be true, as abstractly as possible: who did what, and nothing of how it travels.
//!
//! The model is told of an operation when its client says `queued`; from then on the operation must take effect, unless
//! the device it was queued on ceased to be. An operation whose reply a crash swallowed may take effect or not.

use crate::rollback::Forgotten;
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::group::InviteKey;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};

/// A person's number in the world.
pub type Who = usize;

#[derive(Clone, Debug)]
pub enum Kind {
    Text { text: String, reply_to: Option<MessageId> },
    React { target: MessageId, emoji: Option<String> },
    Edit { target: MessageId, text: String },
    Delete { target: MessageId },
}

impl Kind {
    pub fn target(&self) -> Option<MessageId> {
        match self {
            Kind::Text { .. } => None,
            Kind::React { target, .. } | Kind::Edit { target, .. } | Kind::Delete { target } => Some(*target),
        }
    }
}

/// Where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    With(Who),
    Group(ConversationId),
}

/// Something that a person did in a conversation.
#[derive(Clone, Debug)]
pub struct Op {
    pub by: Who,
    pub place: Place,
    /// Which of the person's devices, one after the other.
    pub life: usize,
    pub kind: Kind,
}

/// One installation of a person's client, from its log-in to its end.
#[derive(Clone, Debug, Default)]
pub struct Life {
    pub device: Option<DeviceId>,
    /// Logged out, thrown away or replaced: what was still in it is gone.
    pub ended: bool,
    /// Came by another device of the person.
    pub linked: bool,
    /// Thrown out for good, as the server confirmed.
    pub revoked: bool,
    /// For each conversation whose MLS state was wiped: the cursors at those times.
    pub wipes: BTreeMap<ConversationId, Vec<u64>>,
    /// What it forgot when it was put back to an older copy of itself.
    pub forgotten: BTreeMap<ConversationId, Vec<Forgotten>>,
    /// Queued after the copy was made.
    pub lost: BTreeSet<MessageId>,
    /// Its tokens may be older than those it had used.
    pub may_be_logged_out: bool,
}

#[derive(Clone, Debug)]
pub enum Block {
    /// Asked for; no answer yet.
    Asked,
    /// The server confirmed it when the conversation's log had this head.
    Known { head: u64 },
    /// Perhaps, perhaps not: an answer was lost, or it is being taken back.
    Unknown,
}

#[derive(Clone, Debug, Default)]
pub struct Person {
    pub account: Option<AccountId>,
    pub lives: Vec<Life>,
    /// The highest seq that the person ever marked as read, by conversation.
    pub marked: BTreeMap<ConversationId, u64>,
    /// The same, of the present devices only: it must reach the server.
    pub marked_in_this_life: BTreeMap<ConversationId, u64>,
    pub blocks: BTreeMap<Who, Block>,
    /// Everyone this person blocked at any time.
    pub ever_blocked: BTreeSet<Who>,
    /// Messages that were ever seen in one of the person's databases.
    pub had: BTreeSet<MessageId>,
}

impl Person {
    pub fn life(&self) -> Option<&Life> {
        self.lives.iter().rfind(|life| !life.linked).filter(|life| !life.ended)
    }

    pub fn device(&self) -> Option<DeviceId> {
        self.life().and_then(|life| life.device)
    }
}

#[derive(Debug, Default)]
pub struct Model {
    pub people: Vec<Person>,
    /// Operations that were queued, by their message ids; and the order in which they were.
    pub ops: BTreeMap<MessageId, Op>,
    pub order: Vec<MessageId>,
    /// Operations that may or may not have been queued: a crash swallowed the reply.
    pub swallowed: Vec<Op>,
    /// Every group that anybody's device has shown, in the order in which they came up.
    pub groups: Vec<Group>,
}

/// What people know of a group.
#[derive(Clone, Debug)]
pub struct Group {
    pub conversation: ConversationId,
    /// Links that were made, also those that were revoked since.
    pub invites: Vec<(String, InviteKey)>,
}

impl Model {
    pub fn new(people: usize) -> Self {
        Self { people: vec![Person::default(); people], ..Self::default() }
    }

    /// Where a person's words go.
    pub fn conversation_of(&self, by: Who, place: Place) -> Option<ConversationId> {
        match place {
            Place::With(with) => self.conversation(by, with),
            Place::Group(group) => Some(group),
        }
    }

    pub fn group(&mut self, conversation: ConversationId) -> &mut Group {
        let known = self.groups.iter().position(|group| group.conversation == conversation);
        let at = known.unwrap_or_else(|| {
            self.groups.push(Group { conversation, invites: Vec::new() });
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }

    pub fn who(&self, account: AccountId) -> Option<Who> {
        self.people.iter().position(|person| person.account == Some(account))
    }

    pub fn conversation(&self, a: Who, b: Who) -> Option<ConversationId> {
        Some(ConversationId::direct(self.people[a].account?, self.people[b].account?))
    }

    /// Says what is wrong with it, if anything.
    pub fn queued(&mut self, id: MessageId, op: Op) -> Result<(), String> {
        if let Some(former) = self.ops.get(&id) {
            return Err(format!("message id {id} was given out twice: for {former:?} and for {op:?}"));
        }
        self.ops.insert(id, op);
        self.order.push(id);
        Ok(())
    }

    /// Whether the device that queued it still exists, so that it must take effect.
    pub fn must_land(&self, id: MessageId, op: &Op) -> bool {
        self.people[op.by].lives.get(op.life).is_some_and(|life| !life.ended && !life.lost.contains(&id))
    }
}
