//! Coming into a group by a link: ask what it leads to, then join by external commit, or ask an admin to be let in.
//!
//! The link's secret is kept until this device is in the group: it proves in each try that one may come in. The commit
//! itself is rejoin's work.

use super::invite::Token;
use super::{intent, work};
use crate::conversation::{self, Standing};
use crate::error::ClientError;
use crate::event::Event;
use crate::http::{self, Answer, Failure};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
use crate::message;
use crate::outbox;
use crate::rejoin;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::group::JoinProof;
use tidings_proto::http::{InvitePreview, Join, JoinRequests};
use tidings_proto::id::{AccountId, ConversationId};

/// `Command::JoinByInvite`.
pub(crate) fn start(step: &mut Step<'_>, reply: CallId, token: &str) -> Result<Option<Reply>, Stop> {
    let token = Token::parse(token)?;
    let conversation = token.conversation;
    let me = step.me()?.sender;
    let inside = conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some());
    if inside {
        return Ok(Some(Reply::Conversation { conversation, account: None }));
    }
    let proof = JoinProof::sign(&token.secret, conversation, me);
    let purpose = Purpose::InvitePreview { reply, conversation, secret: token.secret };
    let path = format!("/v1/conversations/{conversation}/join");
    http::ask(step, purpose, Method::Post, path, http::json(&Join { proof }))?;
    Ok(None)
}

pub(crate) fn previewed(
    step: &mut Step<'_>,
    reply: CallId,
    conversation: ConversationId,
    secret: &[u8; 32],
    answer: Answer,
) -> Done {
    let preview = match http::read::<InvitePreview>(answer) {
        Ok(preview) => preview,
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    if preview.approval && !preview.member {
        let proof = JoinProof::sign(secret, conversation, step.me()?.sender);
        let path = format!("/v1/conversations/{conversation}/requests");
        return http::ask(step, Purpose::AskToJoin { reply }, Method::Post, path, http::json(&Join { proof }));
    }
    conversation::ensure(step, conversation, None)?;
    if conversation::find(step.tx, conversation)?.is_some_and(|row| row.epoch.is_some()) {
        // A welcome was faster.
        step.reply(reply, Ok(Reply::Conversation { conversation, account: None }));
        return Ok(());
    }
    if !preview.member {
        step.tx
            .prepare_cached("INSERT OR REPLACE INTO joining (conversation, secret) VALUES (?1, ?2)")?
            .execute(params![conversation.as_bytes(), secret])?;
    }
    step.mem.groups.joining.entry(conversation).or_default().push(reply);
    rejoin::want(step, conversation)
}

/// By which invite this device comes in, if it is about to come in by one.
pub(crate) fn proof(step: &Step<'_>, conversation: ConversationId) -> Result<Option<JoinProof>, Stop> {
    let me = step.me()?.sender;
    Ok(secret(step.tx, conversation)?.map(|secret| JoinProof::sign(&secret, conversation, me)))
}

fn secret(tx: &Connection, conversation: ConversationId) -> Result<Option<[u8; 32]>, Stop> {
    Ok(tx
        .prepare_cached("SELECT secret FROM joining WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// This device is in, or will not come in.
pub(crate) fn settle(step: &mut Step<'_>, conversation: ConversationId, failure: Option<&Failure>) -> Done {
    step.tx.prepare_cached("DELETE FROM joining WHERE conversation = ?1")?.execute([conversation.as_bytes()])?;
    for reply in step.mem.groups.joining.remove(&conversation).unwrap_or_default() {
        let result = match failure {
            None => Ok(Reply::Conversation { conversation, account: None }),
            Some(failure) => Err(failure.to_client_error()),
        };
        step.reply(reply, result);
    }
    Ok(())
}

/// It was no use: what one was never in is no conversation, unless this device has something of it: a restored history, or
/// what was written before it could come in.
pub(crate) fn gave_up(step: &mut Step<'_>, conversation: ConversationId, failure: &Failure) -> Done {
    settle(step, conversation, Some(failure))?;
    let Some(row) = conversation::find(step.tx, conversation)? else { return Ok(()) };
    if !row.joined && !message::any(step.tx, conversation)? {
        // What was asked of it meanwhile.
        intent::fail_all(step, conversation, &failure.to_client_error())?;
        return conversation::forget(step.tx, conversation);
    }
    if row.standing == Standing::Member {
        let at = super::notice::At { conversation, seq: row.cursor, time_ms: step.now_ms };
        super::leave::out(step, at, Standing::Removed)?;
    }
    Ok(())
}

pub(crate) fn asked(step: &mut Step<'_>, reply: CallId, answer: Answer) {
    let result = answer.map(|_| Reply::JoinRequested).map_err(|failure| failure.to_client_error());
    step.reply(reply, result);
}

/// `Body::JoinRequest` in the inbox: somebody asks this admin.
pub(crate) fn requested(step: &mut Step<'_>, conversation: ConversationId, account: AccountId) {
    step.event(Event::JoinRequested { conversation, account });
}

/// `Command::JoinRequests`.
pub(crate) fn list(step: &mut Step<'_>, reply: CallId, conversation: ConversationId) -> Done {
    let path = format!("/v1/conversations/{conversation}/requests");
    http::ask(step, Purpose::JoinRequests { reply }, Method::Get, path, HttpBody::Empty)
}

pub(crate) fn listed(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<JoinRequests>(answer) {
        Ok(requests) => {
            let mut rows = Vec::new();
            for request in requests.requests {
                let who = view::notice::person(step.tx, request.account)?;
                rows.push(view::JoinRequest { who, time_ms: request.time_ms });
            }
            Ok(Reply::JoinRequests(rows))
        }
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}

/// An admin says no. (Yes is: to add the person.)
pub(crate) fn refuse(step: &mut Step<'_>, reply: CallId, conversation: ConversationId, account: AccountId) -> Done {
    let path = format!("/v1/conversations/{conversation}/requests/{account}");
    http::ask(step, Purpose::RefuseRequest { reply }, Method::Delete, path, HttpBody::Empty)
}

pub(crate) fn refusal_answered(step: &mut Step<'_>, reply: CallId, answer: Answer) {
    let result = answer.map(|_| Reply::Done).map_err(|failure: Failure| ClientError::clone(&failure.to_client_error()));
    step.reply(reply, result);
}

/// This device came in by a link.
pub(crate) fn entered(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let by_link = secret(step.tx, conversation)?.is_some();
    settle(step, conversation, None)?;
    if by_link {
        super::profile::request(step, conversation)?;
        // Nobody there added this person, so nobody knows how they are called.
        conversation::set_profile_told(step.tx, conversation, false)?;
        if let Some(row) = conversation::find(step.tx, conversation)? {
            outbox::queue_profile(step, &row)?;
        }
    }
    super::leave::ask_who(step, conversation)?;
    work::want(step, conversation)
}
