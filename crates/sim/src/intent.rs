//! What a command was meant to do, so that the model learns what became of it.

use crate::model::{Op, Who};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use tidings_client::{ClientError, Reply};
use tidings_proto::id::ConversationId;

/// Where the reply to a query is put.
pub type Answer = Rc<RefCell<Option<Result<Reply, ClientError>>>>;

pub enum Intent {
    Do(Op),
    MarkRead {
        conversation: ConversationId,
        seq: u64,
    },
    Block(Who),
    Unblock(Who),
    Typing,
    /// A change of a group; which one is for the story.
    Group {
        group: Option<ConversationId>,
        what: String,
    },
    Register,
    Login,
    /// Of a laptop: to become one of the person's devices.
    Link,
    Approve,
    Revoke,
    Ask(Answer),
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Intent::Do(op) => write!(f, "for {:?}: {:?}", op.place, op.kind),
            Intent::MarkRead { seq, .. } => write!(f, "mark read {seq}"),
            Intent::Block(who) => write!(f, "block p{who}"),
            Intent::Unblock(who) => write!(f, "unblock p{who}"),
            Intent::Group { what, .. } => f.write_str(what),
            Intent::Typing => f.write_str("type"),
            Intent::Register => f.write_str("register"),
            Intent::Login => f.write_str("log in"),
            Intent::Link => f.write_str("link"),
            Intent::Approve => f.write_str("approve a link"),
            Intent::Revoke => f.write_str("revoke the laptop"),
            Intent::Ask(_) => f.write_str("a query"),
        }
    }
}
