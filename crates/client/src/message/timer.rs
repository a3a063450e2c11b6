//! The disappearing timer: how long what is said from now on stays. A group says it in its profile, a direct
//! conversation in a message of its own kind. A device that comes later learns it from the messages.

use crate::compose::With;
use crate::content::Content;
use crate::error::ClientError;
use crate::event::Event;
use crate::group::notice::{self, At};
use crate::group::profile;
use crate::outbox;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::id::{AccountId, ConversationId, MessageId};
use tidings_proto::limit::{TIMER_MAX_S, TIMER_MIN_S};

/// For what one says now: as it was told last, also if that is still on its way.
pub(crate) fn current(tx: &Connection, conversation: ConversationId) -> Result<Option<u64>, Stop> {
    for content in outbox::untargeted(tx, conversation)?.into_iter().rev() {
        match content {
            Content::Timer { seconds } => return Ok(seconds),
            Content::GroupProfile { timer_s, .. } => return Ok(timer_s),
            _ => {}
        }
    }
    let group = profile::find(tx, conversation)?.and_then(|profile| profile.timer_s);
    Ok(group.or(find(tx, conversation)?.flatten()).map(|seconds| seconds.clamp(TIMER_MIN_S, TIMER_MAX_S)))
}

/// `None`: nothing is known.
fn find(tx: &Connection, conversation: ConversationId) -> Result<Option<Option<u64>>, Stop> {
    Ok(tx
        .prepare_cached("SELECT seconds FROM timer WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// The command.
pub(crate) fn set(step: &mut Step<'_>, with: With, seconds: Option<u64>) -> Result<Reply, Stop> {
    if seconds.is_some_and(|seconds| !(TIMER_MIN_S..=TIMER_MAX_S).contains(&seconds)) {
        let why = format!("messages disappear after {TIMER_MIN_S} seconds to {} days", TIMER_MAX_S / 86_400);
        return Err(ClientError::NotAllowed { why }.into());
    }
    let conversation = with.conversation;
    if conversation.may_be_group() {
        return profile::change(step, with, |profile| profile.timer_s = seconds);
    }
    if current(step.tx, conversation)? == seconds {
        return Ok(Reply::Done);
    }
    let row = crate::compose::open(step, with)?;
    outbox::queue_profile(step, &row)?;
    let message: MessageId = step.fresh_id();
    outbox::queue(step, conversation, message, &Content::Timer { seconds }, None)?;
    step.event(Event::ConversationChanged { conversation });
    Ok(Reply::Queued { message, conversation })
}

/// Somebody in a direct conversation set it, or one's own word has its place.
pub(crate) fn told(step: &mut Step<'_>, at: At, by: AccountId, seconds: Option<u64>) -> Done {
    let At { conversation, seq, .. } = at;
    if conversation.may_be_group() {
        return Ok(());
    }
    let seconds = seconds.map(|seconds| seconds.clamp(TIMER_MIN_S, TIMER_MAX_S));
    let before = find(step.tx, conversation)?.flatten();
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO timer (conversation, seconds, seq) VALUES (?1, ?2, ?3)
             ON CONFLICT (conversation) DO UPDATE SET seconds = excluded.seconds, seq = excluded.seq
             WHERE excluded.seq > seq",
        )?
        .execute(params![conversation.as_bytes(), seconds, seq])?;
    if changed == 0 || before == seconds {
        return Ok(());
    }
    step.event(Event::ConversationChanged { conversation });
    notice::say(step, at, by, &Notice::TimerSet { by: Person::nameless(by), seconds })
}

/// A message with a lifetime, in a direct conversation where nobody told this device of a timer.
pub(super) fn seen(step: &Step<'_>, conversation: ConversationId, lifetime_s: Option<u64>) -> Done {
    if let Some(seconds) = lifetime_s.filter(|_| !conversation.may_be_group()) {
        step.tx
            .prepare_cached("INSERT OR IGNORE INTO timer (conversation, seconds, seq) VALUES (?1, ?2, 0)")?
            .execute(params![conversation.as_bytes(), seconds])?;
    }
    Ok(())
}
