//! What a person says: the message row with its clock, and the outbox row, in one transaction.

use crate::contact::normalize_phone;
use crate::content::{
    self, Content, Degrees, EMOJI_MAX_BYTES, LinkPreview, Mention, NAME_MAX_BYTES, OPTION_MAX_BYTES, OPTIONS,
    PLACE_MAX_BYTES, Poll, QUESTION_MAX_BYTES, TEXT_MAX_BYTES, Target,
};
use crate::conversation::{self, Row, Standing};
use crate::create;
use crate::error::ClientError;
use crate::event::Event;
use crate::group;
use crate::message::{self, Found, Kind, New, change, pin};
use crate::outbox;
use crate::profile::one_line;
use crate::reply::Reply;
use crate::step::{Step, Stop};
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// A conversation, and the other person of a direct one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct With {
    pub account: Option<AccountId>,
    pub conversation: ConversationId,
}

pub(crate) fn send(
    step: &mut Step<'_>,
    with: With,
    text: String,
    reply_to: Option<MessageId>,
    mentions: Vec<Mention>,
    preview: Option<Box<LinkPreview>>,
) -> Result<Reply, Stop> {
    check_text(&text)?;
    if !content::fit(&mentions, &text) {
        return Err(not_allowed("the mentions do not fit the text"));
    }
    for mention in &mentions {
        if !is_there(step, with, mention.account)? {
            return Err(not_allowed("whoever is mentioned has to be in the conversation"));
        }
    }
    if preview.as_ref().is_some_and(|preview| !preview.is_sound()) {
        return Err(not_allowed("the preview of the link is not of the documented form"));
    }
    let reply_to = match reply_to {
        Some(message) => Some(target(step, with.conversation, message)?.0),
        None => None,
    };
    say(step, with, &Content::Text { text, reply_to, forwarded: false, mentions, preview })
}

/// Who said it first is not told.
pub(crate) fn forward(step: &mut Step<'_>, with: With, message: MessageId) -> Result<Reply, Stop> {
    let found = message::find(step.tx, message)?.ok_or(ClientError::NoSuchMessage)?;
    let (text, detail): (Option<String>, Option<Vec<u8>>) = step
        .tx
        .prepare_cached("SELECT text, detail FROM message WHERE message = ?1")?
        .query_row([message.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let detail = detail.and_then(|bytes| Content::decode(&bytes, message).ok());
    let content = match (found.kind, detail) {
        (Kind::Text, detail) => {
            let preview = match detail {
                Some(Content::Text { preview, .. }) if found.edited == 0 => preview,
                _ => None,
            };
            let text = text.unwrap_or_default();
            Content::Text { text, reply_to: None, forwarded: true, mentions: Vec::new(), preview }
        }
        (Kind::Location, Some(Content::Location { latitude, longitude, name, .. })) => {
            Content::Location { latitude, longitude, name, forwarded: true }
        }
        (Kind::Contact, Some(Content::Contact { name, phone, .. })) => {
            Content::Contact { name, phone, forwarded: true }
        }
        _ => return Err(not_allowed("this message cannot be forwarded")),
    };
    say(step, with, &content)
}

pub(crate) fn poll(step: &mut Step<'_>, with: With, poll: Poll) -> Result<Reply, Stop> {
    if !poll.is_sound() {
        let (least, most) = (OPTIONS.start(), OPTIONS.end());
        let why = format!(
            "a poll asks something of at most {QUESTION_MAX_BYTES} bytes, and has {least} to {most} answers of at most \
             {OPTION_MAX_BYTES} bytes"
        );
        return Err(not_allowed(&why));
    }
    say(step, with, &Content::Poll(poll))
}

pub(crate) fn vote(step: &mut Step<'_>, poll: MessageId, choices: Vec<u32>) -> Result<Reply, Stop> {
    let found = message::find(step.tx, poll)?.ok_or(ClientError::NoSuchMessage)?;
    let asked = message::poll::read(step.tx, poll)?.filter(|_| found.kind == Kind::Poll);
    let asked = asked.ok_or_else(|| not_allowed("this message is no poll"))?;
    if message::poll::choices(&asked, &choices).is_none() {
        return Err(not_allowed("the poll does not have these choices, or takes only one"));
    }
    let row = conversation::find(step.tx, found.conversation)?.ok_or(ClientError::NoSuchConversation)?;
    let (target, _) = target(step, found.conversation, poll)?;
    let with = With { account: row.account, conversation: found.conversation };
    change(step, with, poll, &Content::Vote { poll: target, choices })
}

pub(crate) fn location(
    step: &mut Step<'_>,
    with: With,
    latitude: Degrees,
    longitude: Degrees,
    name: Option<String>,
) -> Result<Reply, Stop> {
    if !content::is_place(latitude, longitude) {
        return Err(not_allowed("a latitude is -90 to 90 degrees, a longitude -180 to 180"));
    }
    let name = name.map(|name| one_line(&name, PLACE_MAX_BYTES)).transpose()?.filter(|name| !name.is_empty());
    say(step, with, &Content::Location { latitude, longitude, name, forwarded: false })
}

pub(crate) fn contact(step: &mut Step<'_>, with: With, name: &str, phone: &str) -> Result<Reply, Stop> {
    let name = one_line(name, NAME_MAX_BYTES)?;
    if name.is_empty() {
        return Err(not_allowed("a contact needs a name"));
    }
    say(step, with, &Content::Contact { name, phone: normalize_phone(phone)?, forwarded: false })
}

/// Something that is shown as a message of its own.
fn say(step: &mut Step<'_>, with: With, content: &Content) -> Result<Reply, Stop> {
    let conversation = with.conversation;
    let row = open(step, with)?;
    if !group::member::may_post(step.tx, conversation, step.me()?.sender.account)? {
        return Err(not_allowed("only admins may write in this group"));
    }
    outbox::queue_profile(step, &row)?;
    let message = step.fresh_id();
    let bytes = outbox::queue(step, conversation, message, content, None)?;
    let Some((kind, text)) = message::shown(content) else { return Err(not_allowed("this is not shown")) };
    let reply_to = match content {
        Content::Text { reply_to, .. } => reply_to.map(|target| target.message),
        _ => None,
    };
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
            kind,
            text,
            reply_to,
            digest: Some(content::digest(conversation, sender.account, message, &bytes)),
            counts: true,
            detail: Some(bytes.as_slice()).filter(|_| !content.is_plain()),
            lifetime_s: content::lifetime_s(&bytes),
        },
    )?;
    Ok(Reply::Queued { message, conversation })
}

/// Whether somebody reads this conversation.
fn is_there(step: &Step<'_>, with: With, account: AccountId) -> Result<bool, Stop> {
    Ok(with.account == Some(account)
        || step.me()?.sender.account == account
        || group::member::accounts(step.tx, with.conversation)?.contains(&account))
}

pub(crate) fn react(step: &mut Step<'_>, with: With, message: MessageId, emoji: Option<String>) -> Result<Reply, Stop> {
    let emoji = emoji.filter(|emoji| !emoji.is_empty());
    let bytes = emoji.as_ref().map_or(0, String::len);
    if bytes > EMOJI_MAX_BYTES {
        return Err(ClientError::TooLong { bytes, max: EMOJI_MAX_BYTES }.into());
    }
    let (to, found) = target(step, with.conversation, message)?;
    if !found.kind.is_said() {
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
    if !change::may_delete(step.tx, &found, step.me()?.sender.account)? {
        return Err(not_allowed("only one's own messages can be deleted for everyone, and by admins those of a group"));
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
    let found =
        message::find(step.tx, message)?.filter(|found| found.conversation == conversation && found.kind != Kind::Gone);
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
