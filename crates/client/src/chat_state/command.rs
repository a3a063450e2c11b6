//! What a person does with chats and messages, for oneself.

use super::{DRAFT_MAX_BYTES, Setting, count_pinned, of, set};
use crate::compose::With;
use crate::conversation;
use crate::error::ClientError;
use crate::message::{self, pin};
use crate::reply::Reply;
use crate::step::{Step, Stop};
use crate::view::{FOR_EVER_MS, PINNED_CONVERSATIONS_MAX};
use tidings_proto::id::MessageId;

pub(crate) fn star(step: &mut Step<'_>, message: MessageId, on: bool) -> Result<Reply, Stop> {
    let found = message::find(step.tx, message)?.ok_or(ClientError::NoSuchMessage)?;
    if on && !pin::can_be(found.kind) {
        return Err(ClientError::NotAllowed { why: "this message cannot be starred".into() }.into());
    }
    set(step, found.conversation, &Setting::Star { message, on })?;
    Ok(Reply::Done)
}

pub(crate) fn mute(step: &mut Step<'_>, with: With, until_ms: Option<u64>) -> Result<Reply, Stop> {
    let until_ms = until_ms.map(|until_ms| until_ms.min(FOR_EVER_MS));
    put(step, with, &Setting::Mute { until_ms })
}

/// What is archived does not stay at the top of the list.
pub(crate) fn archive(step: &mut Step<'_>, with: With, on: bool) -> Result<Reply, Stop> {
    let row = conversation::ensure(step, with.conversation, with.account)?;
    if on && of(step, with.conversation)?.pinned {
        set(step, with.conversation, &Setting::Pin { at_ms: None })?;
    }
    put(step, with, &Setting::Archive { known: on.then_some(row.cursor) })
}

pub(crate) fn pin(step: &mut Step<'_>, with: With, on: bool) -> Result<Reply, Stop> {
    let kept = of(step, with.conversation)?;
    if on && kept.pinned {
        return Ok(Reply::Done);
    }
    if on && count_pinned(step.tx)? >= PINNED_CONVERSATIONS_MAX {
        let why = format!("{PINNED_CONVERSATIONS_MAX} conversations are pinned already; unpin one of them first");
        return Err(ClientError::NotAllowed { why }.into());
    }
    if on && kept.archived {
        set(step, with.conversation, &Setting::Archive { known: None })?;
    }
    let at_ms = on.then_some(step.now_ms);
    put(step, with, &Setting::Pin { at_ms })
}

pub(crate) fn mark_unread(step: &mut Step<'_>, with: With) -> Result<Reply, Stop> {
    put(step, with, &Setting::Unread { on: true })
}

pub(crate) fn draft(step: &mut Step<'_>, with: With, text: String) -> Result<Reply, Stop> {
    let bytes = text.len();
    if bytes > DRAFT_MAX_BYTES {
        return Err(ClientError::TooLong { bytes, max: DRAFT_MAX_BYTES }.into());
    }
    if of(step, with.conversation)?.draft.unwrap_or_default() == text {
        return Ok(Reply::Done);
    }
    put(step, with, &Setting::Draft { text })
}

fn put(step: &mut Step<'_>, with: With, setting: &Setting) -> Result<Reply, Stop> {
    conversation::ensure(step, with.conversation, with.account)?;
    set(step, with.conversation, setting)?;
    Ok(Reply::Done)
}
