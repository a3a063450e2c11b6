//! Edits, deletions, reactions and pins: what changes a message that is there already.
//!
//! The log's order decides. Each change is applied when its entry has a seq, on every device alike: the newest edit
//! and the newest reaction of a person win, a deletion is for ever. One's own change that still waits in the outbox is
//! laid over the message when it is shown (`view::message`), so nothing has to be undone if it fails.

use super::{Found, Kind, find, pin, poll};
use crate::content::{Content, Target};
use crate::event::Event;
use crate::group::member;
use crate::group::notice::At;
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, params};
use tidings_proto::id::{AccountId, ConversationId, MessageId};

/// Changes that wait for messages which never came: the oldest go.
const ORPHANS_MAX: u32 = 1_000;

/// The message that this one changes.
fn target(content: &Content) -> Option<Target> {
    match content {
        Content::Reaction { to, .. } => Some(*to),
        Content::Edit { of, .. } | Content::Delete { of } | Content::Pin { of, .. } => Some(*of),
        Content::Vote { poll, .. } => Some(*poll),
        Content::Text { .. }
        | Content::Poll(_)
        | Content::Location { .. }
        | Content::Contact { .. }
        | Content::Profile { .. }
        | Content::GroupProfile { .. }
        | Content::ProfileRequest
        | Content::Timer { .. }
        | Content::Unknown => None,
    }
}

/// `message` is the id of the change itself, `expires_ms` until when it may be kept.
pub(crate) fn apply(
    step: &mut Step<'_>,
    at: At,
    author: AccountId,
    message: MessageId,
    content: &Content,
    expires_ms: Option<u64>,
) -> Done {
    let At { conversation, seq, .. } = at;
    let Some(target) = target(content) else { return Ok(()) };
    let Some(found) = find(step.tx, target.message)? else {
        return keep_orphan(step, at, target.message, author, message, content, expires_ms);
    };
    if found.conversation != conversation || found.digest.is_some_and(|digest| digest != target.digest) {
        tracing::warn!(%conversation, seq, "a change of a message that is another one here");
        return Ok(());
    }
    let changed = match content {
        Content::Reaction { emoji, .. } => {
            react(step, conversation, target.message, &found, author, emoji.as_deref().unwrap_or_default(), seq)?
        }
        Content::Edit { text, .. } => edit(step, target.message, &found, author, text, seq)?,
        Content::Pin { on, .. } => pin::set(step, target.message, &found, author, *on, seq)?,
        Content::Vote { choices, .. } => poll::vote(step, target.message, &found, author, choices, seq)?,
        _ => delete(step, target.message, &found, author)?,
    };
    if changed {
        step.event(Event::MessageChanged { conversation, message: target.message });
        step.event(Event::ConversationChanged { conversation });
    }
    Ok(())
}

/// An empty emoji takes the reaction back; its row stays, for an older entry may come later.
fn react(
    step: &Step<'_>,
    conversation: ConversationId,
    target: MessageId,
    found: &Found,
    author: AccountId,
    emoji: &str,
    seq: u64,
) -> rusqlite::Result<bool> {
    if found.kind.is_over() {
        return Ok(false);
    }
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO reaction (conversation, message, account, emoji, seq) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (conversation, message, account)
             DO UPDATE SET emoji = excluded.emoji, seq = excluded.seq WHERE excluded.seq > reaction.seq",
        )?
        .execute(params![conversation.as_bytes(), target.as_bytes(), author.as_bytes(), emoji, seq])?;
    Ok(changed > 0)
}

fn edit(
    step: &Step<'_>,
    target: MessageId,
    found: &Found,
    author: AccountId,
    text: &str,
    seq: u64,
) -> rusqlite::Result<bool> {
    if found.account != author || found.kind != Kind::Text || found.edited >= seq {
        return Ok(false);
    }
    step.tx.prepare_cached("UPDATE message SET text = ?2, edited = ?3 WHERE message = ?1")?.execute(params![
        target.as_bytes(),
        text,
        seq
    ])?;
    Ok(true)
}

/// Whether somebody may take it back for everyone: who said it, and the admins of a group, as of the entry at hand.
pub(crate) fn may_delete(tx: &Connection, found: &Found, author: AccountId) -> Result<bool, Stop> {
    if found.kind.is_over() {
        return Ok(false);
    }
    Ok(found.account == author || member::rules(tx, found.conversation)?.is_some_and(|rules| rules.is_admin(author)))
}

fn delete(step: &Step<'_>, target: MessageId, found: &Found, author: AccountId) -> Result<bool, Stop> {
    if !may_delete(step.tx, found, author)? {
        return Ok(false);
    }
    step.tx
        .prepare_cached(
            "UPDATE message SET kind = 1, text = NULL, detail = NULL, reply_to = NULL, edited = 0, counts = 0,
             deleted_by = ?2 WHERE message = ?1",
        )?
        .execute([target.as_bytes(), author.as_bytes()])?;
    Ok(true)
}

fn keep_orphan(
    step: &Step<'_>,
    at: At,
    target: MessageId,
    author: AccountId,
    message: MessageId,
    content: &Content,
    expires_ms: Option<u64>,
) -> Done {
    let At { conversation, seq, .. } = at;
    if expires_ms.is_some_and(|expires_ms| expires_ms <= step.now_ms) {
        return Ok(());
    }
    step.tx
        .prepare_cached(
            "INSERT OR IGNORE INTO orphan (conversation, target, seq, account, message, content, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            conversation.as_bytes(),
            target.as_bytes(),
            seq,
            author.as_bytes(),
            message.as_bytes(),
            content.encode(message),
            expires_ms
        ])?;
    step.tx
        .prepare_cached(
            "DELETE FROM orphan WHERE conversation = ?1 AND seq <= (
                 SELECT seq FROM orphan WHERE conversation = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![conversation.as_bytes(), ORPHANS_MAX])?;
    Ok(())
}

/// Messages came by an archive: the log may have brought changes of them before.
pub(crate) fn adopt_all_orphans(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let targets: Vec<MessageId> = step
        .tx
        .prepare_cached(
            "SELECT DISTINCT target FROM orphan WHERE conversation = ?1
             AND target IN (SELECT message FROM message WHERE conversation = ?1)",
        )?
        .query_map([conversation.as_bytes()], |row| Ok(MessageId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    targets.into_iter().try_for_each(|target| adopt_orphans(step, conversation, target))
}

/// A message came for which changes wait.
pub(super) fn adopt_orphans(step: &mut Step<'_>, conversation: ConversationId, target: MessageId) -> Done {
    let orphans: Vec<(u64, AccountId, MessageId, Vec<u8>)> = step
        .tx
        .prepare_cached(
            "SELECT seq, account, message, content FROM orphan WHERE conversation = ?1 AND target = ?2 ORDER BY seq",
        )?
        .query_map([conversation.as_bytes(), target.as_bytes()], |row| {
            Ok((row.get(0)?, AccountId::from_bytes(row.get(1)?), MessageId::from_bytes(row.get(2)?), row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    if orphans.is_empty() {
        return Ok(());
    }
    step.tx
        .prepare_cached("DELETE FROM orphan WHERE conversation = ?1 AND target = ?2")?
        .execute([conversation.as_bytes(), target.as_bytes()])?;
    for (seq, author, message, bytes) in orphans {
        if let Ok(content) = Content::decode(&bytes, message) {
            let at = At { conversation, seq, time_ms: step.now_ms };
            apply(step, at, author, message, &content, None)?;
        }
    }
    Ok(())
}
