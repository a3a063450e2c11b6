//! Votes. A person has one vote in a poll, of one choice or of several; the newest one counts, by the log's order.

use super::{Found, Kind, find};
use crate::content::{Content, Poll};
use crate::step::{Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::id::{AccountId, MessageId};

/// The poll in a message.
pub(crate) fn read(tx: &Connection, message: MessageId) -> Result<Option<Poll>, Stop> {
    let bytes: Option<Vec<u8>> = tx
        .prepare_cached("SELECT detail FROM message WHERE message = ?1 AND detail IS NOT NULL")?
        .query_row([message.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(match bytes.map(|bytes| Content::decode(&bytes, message)) {
        Some(Ok(Content::Poll(poll))) => Some(poll),
        _ => None,
    })
}

/// Each once, in order; `None`: this poll does not take them.
pub(crate) fn choices(poll: &Poll, choices: &[u32]) -> Option<Vec<u8>> {
    let mut chosen: Vec<u8> = choices
        .iter()
        .map(|choice| u8::try_from(*choice).ok().filter(|choice| usize::from(*choice) < poll.options.len()))
        .collect::<Option<_>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    (poll.multiple || chosen.len() <= 1).then_some(chosen)
}

/// The entry at `seq` says what this person chooses; false if that changes nothing.
pub(super) fn vote(
    step: &Step<'_>,
    message: MessageId,
    found: &Found,
    author: AccountId,
    chosen: &[u32],
    seq: u64,
) -> Result<bool, Stop> {
    let Some(poll) = read(step.tx, message)?.filter(|_| found.kind == Kind::Poll) else { return Ok(false) };
    let Some(chosen) = choices(&poll, chosen) else {
        tracing::info!(conversation = %found.conversation, seq, "a vote that its poll does not take");
        return Ok(false);
    };
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO vote (conversation, message, account, choices, seq) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (conversation, message, account)
             DO UPDATE SET choices = excluded.choices, seq = excluded.seq WHERE excluded.seq > vote.seq",
        )?
        .execute(params![found.conversation.as_bytes(), message.as_bytes(), author.as_bytes(), chosen, seq])?;
    Ok(changed > 0)
}

/// What everybody chose, in the order of the votes.
pub(crate) fn votes(tx: &Connection, message: MessageId) -> Result<Vec<(AccountId, Vec<u8>)>, Stop> {
    let Some(found) = find(tx, message)? else { return Ok(Vec::new()) };
    Ok(tx
        .prepare_cached("SELECT account, choices FROM vote WHERE conversation = ?1 AND message = ?2 ORDER BY seq")?
        .query_map([found.conversation.as_bytes(), message.as_bytes()], |row| {
            Ok((AccountId::from_bytes(row.get(0)?), row.get(1)?))
        })?
        .collect::<Result<_, _>>()?)
}
