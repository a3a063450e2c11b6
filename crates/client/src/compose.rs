//! What a person says: the message row with its clock, and the outbox row, in one transaction.

use crate::command::Reply;
use crate::content::{self, Content, EMOJI_MAX_BYTES, TEXT_MAX_BYTES, Target};
use crate::conversation::{self, Row, Standing};
use crate::create;
use crate::error::ClientError;
use crate::event::Event;
use crate::group;
use crate::message::{self, Found, Kind, New, pin};
use crate::outbox;
use crate::step::{Step, Stop};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// A conversation, and the other person of a direct one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct With {
    pub account: Option<AccountId>,
    pub conversation: ConversationId,
}

pub(crate) fn send(step: &mut Step<'_>, with: With, text: String, reply_to: Option<MessageId>) -> Result<Reply, Stop> {
    check_text(&text)?;
    let conversation = with.conversation;
    let reply_to = match reply_to {
        Some(message) => Some(target(step, conversation, message)?.0),
        None => None,
    };
    let row = open(step, with)?;
    if !group::member::may_post(step.tx, conversation, step.me()?.sender.account)? {
        return Err(not_allowed("only admins may write in this group"));
    }
    outbox::queue_profile(step, &row)?;
    let message = step.fresh_id();
    let content = Content::Text { text, reply_to };
    let bytes = outbox::queue(step, conversation, message, &content, None)?;
    let Content::Text { text, .. } = &content else { unreachable!("it was made above") };
    let sender = step.me()?.sender;
    let time_ms = step.now_ms;
    message::insert(
        step,
        &New {
            message,
            conversation,
            seq: None,
            sender,
            time_ms,
            kind: Kind::Text,
            text: Some(text),
            reply_to: reply_to.map(|target| target.message),
            digest: Some(content::digest(conversation, sender.account, message, &bytes)),
            counts: true,
            lifetime_s: content::lifetime_s(&bytes),
        },
    )?;
    Ok(Reply::Queued { message, conversation })
}

pub(crate) fn react(step: &mut Step<'_>, with: With, message: MessageId, emoji: Option<String>) -> Result<Reply, Stop> {
    let emoji = emoji.filter(|emoji| !emoji.is_empty());
    let bytes = emoji.as_ref().map_or(0, String::len);
    if bytes > EMOJI_MAX_BYTES {
        return Err(ClientError::TooLong { bytes, max: EMOJI_MAX_BYTES }.into());
    }
    let (to, found) = target(step, with.conversation, message)?;
    if !matches!(found.kind, Kind::Text | Kind::Unknown) {
        return Err(not_allowed("this message cannot be reacted to"));
    }
    change(step, with, message, &Content::Reaction { to, emoji })
}

pub(crate) fn edit(step: &mut Step<'_>, with: With, message: MessageId, text: String) -> Result<Reply, Stop> {
    check_text(&text)?;
    let (of, found) = target(step, with.conversation, message)?;
    if !found.own || found.kind != Kind::Text {
        return Err(not_allowed("only one's own texts can be edited"));
    }
    change(step, with, message, &Content::Edit { of, text })
}

pub(crate) fn delete(step: &mut Step<'_>, with: With, message: MessageId) -> Result<Reply, Stop> {
    let (of, found) = target(step, with.conversation, message)?;
    if !found.own || found.kind == Kind::Deleted {
        return Err(not_allowed("only one's own messages can be deleted for everyone"));
    }
    change(step, with, message, &Content::Delete { of })
}

/// For everybody in the chat.
pub(crate) fn pin(step: &mut Step<'_>, message: MessageId, on: bool) -> Result<Reply, Stop> {
    let found = message::find(step.tx, message)?.ok_or(ClientError::NoSuchMessage)?;
    let row = conversation::find(step.tx, found.conversation)?.ok_or(ClientError::NoSuchConversation)?;
    if !pin::can_be(found.kind) {
        return Err(not_allowed("this message cannot be pinned"));
    }
    let me = step.me()?.sender.account;
    if !pin::may(step.tx, row.conversation, me)? {
        return Err(not_allowed("only admins may pin messages in this group"));
    }
    let (of, _) = target(step, row.conversation, message)?;
    let with = With { account: row.account, conversation: row.conversation };
    change(step, with, message, &Content::Pin { of, on })
}

fn change(step: &mut Step<'_>, with: With, target: MessageId, content: &Content) -> Result<Reply, Stop> {
    let row = open(step, with)?;
    outbox::queue_profile(step, &row)?;
    let message = step.fresh_id();
    let conversation = with.conversation;
    outbox::queue(step, conversation, message, content, Some(target))?;
    step.event(Event::MessageChanged { conversation, message: target });
    step.event(Event::ConversationChanged { conversation });
    Ok(Reply::Queued { message, conversation })
}

/// The conversation, which will be made if it is not there.
pub(crate) fn open(step: &mut Step<'_>, with: With) -> Result<Row, Stop> {
    let row = conversation::ensure(step, with.conversation, with.account)?;
    if row.standing != Standing::Member {
        return Err(not_allowed("you are not in this group any more"));
    }
    // A group is made before it can be written to.
    if !row.created && row.kind != ConversationKind::Group {
        create::want(step, with.conversation)?;
    }
    Ok(row)
}

/// The message that another one is about.
fn target(step: &Step<'_>, conversation: ConversationId, message: MessageId) -> Result<(Target, Found), Stop> {
    let found = message::find(step.tx, message)?.filter(|found| found.conversation == conversation);
    let found = found.ok_or(ClientError::NoSuchMessage)?;
    let digest = found.digest.ok_or_else(|| not_allowed("this is no message that one can answer to"))?;
    Ok((Target { message, digest }, found))
}

fn check_text(text: &str) -> Result<(), Stop> {
    if text.is_empty() {
        return Err(not_allowed("the message is empty"));
    }
    if text.len() > TEXT_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: text.len(), max: TEXT_MAX_BYTES }.into());
    }
    Ok(())
}

fn not_allowed(why: &str) -> Stop {
    ClientError::NotAllowed { why: why.into() }.into()
}
