//! [`MessageInfo`]: who has a message. The server is asked each time, for in a group it tells only what moves while one is
//! connected; without it what is known here is shown.

use super::notice::person;
use super::{MessageInfo, Seen};
use crate::error::ClientError;
use crate::http::Answer;
use crate::io::CallId;
use crate::memory::Purpose;
use crate::message;
use crate::receipt;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use tidings_proto::id::{ConversationId, MessageId};

/// `None`: the reply comes when the server has answered.
pub(crate) fn ask(step: &mut Step<'_>, reply: CallId, message: MessageId) -> Result<Option<Reply>, Stop> {
    let found = message::find(step.tx, message)?.ok_or(ClientError::NoSuchMessage)?;
    if !found.own {
        return Err(ClientError::NotAllowed { why: "only one's own messages have this".into() }.into());
    }
    if found.seq.is_none() || !step.mem.session.is_up() {
        return Ok(Some(Reply::MessageInfo(read(step, message)?)));
    }
    let conversation = found.conversation;
    receipt::ask_all(step, Purpose::Watermarks { reply, conversation, message }, conversation)?;
    Ok(None)
}

pub(crate) fn answered(
    step: &mut Step<'_>,
    reply: CallId,
    conversation: ConversationId,
    message: MessageId,
    answer: Answer,
) -> Done {
    if let Err(failure) = receipt::all_told(step, conversation, answer)? {
        tracing::info!(%conversation, ?failure, "the server does not tell who has what");
    }
    let info = read(step, message)?;
    step.reply(reply, Ok(Reply::MessageInfo(info)));
    Ok(())
}

fn read(step: &Step<'_>, message: MessageId) -> Result<MessageInfo, Stop> {
    let mut members = Vec::new();
    let found = message::find(step.tx, message)?.ok_or(ClientError::NoSuchMessage)?;
    if let Some(seq) = found.seq {
        for seen in receipt::seen_by(step, found.conversation, seq)? {
            let receipt::Seen { account, delivered, delivered_ms, read, read_ms } = seen;
            members.push(Seen { who: person(step.tx, account)?, delivered, delivered_ms, read, read_ms });
        }
    }
    Ok(MessageInfo { message, members })
}
