//! The account itself, at the server: its end ([`delete`]), the lock of its number ([`lock`]), and what one reports to
//! those who run it ([`report`]).

pub(crate) mod delete;
pub(crate) mod lock;
pub(crate) mod report;

use crate::command::Command;
use crate::http::Answer;
use crate::io::CallId;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The reply waits in [`State::deleting`].
    Delete,
    Lock {
        reply: CallId,
    },
    ChangeLock {
        reply: CallId,
    },
    Report {
        reply: CallId,
    },
}

impl Ask {
    /// The command that waits for it.
    pub fn reply(&self) -> Option<CallId> {
        match self {
            Self::Delete => None,
            Self::Lock { reply } | Self::ChangeLock { reply } | Self::Report { reply } => Some(*reply),
        }
    }
}

/// What is not in the database.
#[derive(Default)]
pub(crate) struct State {
    pub deleting: Option<delete::Deleting>,
    /// rollback.rs: this database is an old copy, and that was seen to since the program began.
    pub rolled_back: bool,
}

impl State {
    /// This device is out, and that is what it asked for: the connection may say so before the answer does.
    pub fn take_deleted(&mut self) -> Option<CallId> {
        let deleting = self.deleting.take_if(|deleting| deleting.is_asked())?;
        Some(deleting.reply)
    }

    /// Commands that wait, beside those that an [`Ask`] names.
    pub fn owed(&self) -> impl Iterator<Item = CallId> {
        self.deleting.as_ref().map(|deleting| deleting.reply).into_iter()
    }
}

pub(crate) fn is_one(command: &Command) -> bool {
    matches!(
        command,
        Command::DeleteAccount { .. }
            | Command::SetLock { .. }
            | Command::RemoveLock
            | Command::LockStatus
            | Command::EndLockReset
    )
}

/// `None`: the reply comes later.
pub(crate) fn perform(step: &mut Step<'_>, id: CallId, command: Command) -> Result<Option<Reply>, Stop> {
    match command {
        Command::DeleteAccount { phone, pin } => delete::begin(step, id, &phone, pin)?,
        Command::SetLock { pin } => lock::set(step, id, pin)?,
        Command::RemoveLock => lock::remove(step, id)?,
        Command::LockStatus => lock::look(step, id)?,
        Command::EndLockReset => lock::end_reset(step, id)?,
        _ => {}
    }
    Ok(None)
}

pub(crate) fn answered(step: &mut Step<'_>, ask: Ask, answer: Answer) -> Done {
    match ask {
        Ask::Delete => delete::answered(step, answer),
        Ask::Lock { reply } => lock::told(step, reply, answer),
        Ask::ChangeLock { reply } => lock::changed(step, reply, answer),
        Ask::Report { reply } => report::sent(step, reply, answer),
    }
}
