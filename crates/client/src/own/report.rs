//! Telling those who run the server about a person or a group, with messages that this person chose: they see what is
//! attached here, and nothing else.

use super::Ask;
use crate::compose::With;
use crate::conversation;
use crate::error::ClientError;
use crate::http::{self, Answer};
use crate::io::{CallId, Method};
use crate::memory::Purpose;
use crate::reply::Reply;
use crate::step::{Done, Step};
use crate::view::{self, Body};
use std::collections::BTreeMap;
use tidings_proto::entry::ConversationKind;
use tidings_proto::id::{AccountId, MessageId};
use tidings_proto::limit::{REPORT_MESSAGES_MAX, REPORT_REASON_MAX_BYTES, REPORT_TEXT_MAX_BYTES};
use tidings_proto::report::{PostReport, Reported, ReportedMessage};

/// How many messages are looked at for the last ones of others.
const LOOK_AT: u32 = 200;

/// `messages`: those that are attached; if there are none, the last `last` that others wrote.
pub(crate) fn send(
    step: &mut Step<'_>,
    reply: CallId,
    with: With,
    reason: String,
    messages: &[MessageId],
    last: u32,
) -> Done {
    if reason.len() > REPORT_REASON_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: reason.len(), max: REPORT_REASON_MAX_BYTES }.into());
    }
    let last = last as usize;
    if messages.len().max(last) > REPORT_MESSAGES_MAX {
        let why = format!("at most {REPORT_MESSAGES_MAX} messages are attached to a report");
        return Err(ClientError::NotAllowed { why }.into());
    }
    let mut attached = Vec::new();
    if messages.is_empty() && last > 0 && conversation::find(step.tx, with.conversation)?.is_some() {
        let mut theirs = view::message::page(step, with.conversation, None, LOOK_AT)?;
        theirs.retain(|message| !message.own && !matches!(message.body, Body::Notice { .. } | Body::Deleted));
        attached = theirs.split_off(theirs.len().saturating_sub(last));
    }
    for message in messages {
        let message = view::message::one(step, *message)?.ok_or(ClientError::NoSuchMessage)?;
        if message.conversation != with.conversation {
            return Err(ClientError::NoSuchMessage.into());
        }
        attached.push(message);
    }
    let kind = conversation::kind(step.me()?.sender.account, with.conversation);
    let account = match kind {
        ConversationKind::Group => most(&attached),
        ConversationKind::Direct | ConversationKind::SelfChat => with.account,
    };
    let messages = attached.iter().map(reported).collect();
    let body = http::json(&PostReport { account, conversation: with.conversation, reason, messages });
    http::ask(step, Purpose::Own(Ask::Report { reply }), Method::Post, "/v1/reports", body)
}

/// Who wrote most of it.
fn most(messages: &[view::Message]) -> Option<AccountId> {
    let mut count: BTreeMap<AccountId, usize> = BTreeMap::new();
    for message in messages.iter().filter(|message| !message.own) {
        *count.entry(message.sender).or_default() += 1;
    }
    count.into_iter().max_by_key(|(_, count)| *count).map(|(account, _)| account)
}

fn reported(message: &view::Message) -> ReportedMessage {
    let mut text = match &message.body {
        Body::Text { text } => text.clone(),
        other => serde_json::to_string(other).expect("our types always serialize"),
    };
    let mut end = text.len().min(REPORT_TEXT_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    ReportedMessage { message: message.message, sender: message.sender, time_ms: message.time_ms, text }
}

pub(crate) fn sent(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<Reported>(answer) {
        Ok(Reported { report }) => Ok(Reply::Reported { report }),
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}
