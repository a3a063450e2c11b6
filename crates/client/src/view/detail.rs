//! What a message has besides its words: read of its content, with what others made of it since.

use super::{Body, Mentioned, PollOption, notice};
use crate::content::{Content, LinkPreview, Poll};
use crate::message::poll;
use crate::step::{Step, Stop};
use tidings_proto::id::{AccountId, MessageId};

#[derive(Default)]
pub(super) struct Detail {
    /// In place of the text.
    pub body: Option<Body>,
    pub forwarded: bool,
    pub mentions: Vec<Mentioned>,
    pub mentions_me: bool,
    pub preview: Option<Box<LinkPreview>>,
}

/// `edited`: the text is another one by now.
pub(super) fn read(step: &Step<'_>, message: MessageId, bytes: &[u8], edited: bool) -> Result<Detail, Stop> {
    let mut detail = Detail::default();
    match Content::decode(bytes, message) {
        Ok(Content::Text { forwarded, mentions, preview, .. }) => {
            detail.forwarded = forwarded;
            if !edited {
                let me = step.me()?.sender.account;
                detail.mentions_me = mentions.iter().any(|mention| mention.account == me);
                for mention in mentions {
                    let who = notice::person(step.tx, mention.account)?;
                    detail.mentions.push(Mentioned { who, start: mention.start, len: mention.len });
                }
                detail.preview = preview;
            }
        }
        Ok(Content::Poll(poll)) => detail.body = Some(tally(step, message, poll)?),
        Ok(Content::Location { latitude, longitude, name, forwarded }) => {
            detail.body = Some(Body::Location { latitude, longitude, name });
            detail.forwarded = forwarded;
        }
        Ok(Content::Contact { name, phone, forwarded }) => {
            detail.body = Some(Body::Contact { name, phone });
            detail.forwarded = forwarded;
        }
        _ => {}
    }
    Ok(detail)
}

fn tally(step: &Step<'_>, message: MessageId, poll: Poll) -> Result<Body, Stop> {
    let me = step.me()?.sender.account;
    let mut votes = poll::votes(step.tx, message)?;
    if let Some(choices) = waiting(step, message)?.and_then(|choices| poll::choices(&poll, &choices)) {
        votes.retain(|(account, _)| *account != me);
        votes.push((me, choices));
    }
    let mut options = Vec::with_capacity(poll.options.len());
    for (index, text) in poll.options.into_iter().enumerate() {
        let chose = |choices: &[u8]| choices.iter().any(|choice| usize::from(*choice) == index);
        let chosen: Vec<AccountId> =
            votes.iter().filter(|(_, choices)| chose(choices)).map(|(account, _)| *account).collect();
        let voters = chosen.iter().map(|account| notice::person(step.tx, *account)).collect::<Result<_, _>>()?;
        options.push(PollOption { text, voters, mine: chosen.contains(&me) });
    }
    Ok(Body::Poll { question: poll.question, multiple: poll.multiple, options })
}

/// One's own vote that is not in the log yet.
fn waiting(step: &Step<'_>, message: MessageId) -> Result<Option<Vec<u32>>, Stop> {
    let contents: Vec<(MessageId, Vec<u8>)> = step
        .tx
        .prepare_cached("SELECT message, content FROM outbox WHERE target = ?1 ORDER BY position DESC")?
        .query_map([message.as_bytes()], |row| Ok((MessageId::from_bytes(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(contents.into_iter().find_map(|(id, bytes)| match Content::decode(&bytes, id) {
        Ok(Content::Vote { choices, .. }) => Some(choices),
        _ => None,
    }))
}
