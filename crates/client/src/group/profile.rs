//! How a group presents itself: name, description, picture, timer. It travels as a message, for the server must not know.
//!
//! Whoever adds people says it again right after the commit, for they cannot read what was said before. Whoever came by
//! a link asks for it, and the members answer, each after a random wait that grows with the group, unless somebody did.

use super::member;
use crate::content::Content;
use crate::event::Event;
use crate::job::{self, Kind};
use crate::outbox;
use crate::step::{Done, Step, Stop};
use rand_chacha::rand_core::RngCore;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::id::{AccountId, ConversationId};

/// How long the members wait with an answer: each somewhere within so much for every one of them, up to a bound.
const ANSWER_MS_PER_MEMBER: u64 = 200;
const ANSWER_MAX_MS: u64 = 60_000;
const ANSWER_MIN_MS: u64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub name: Option<String>,
    pub description: Option<String>,
    pub picture: Option<String>,
    pub timer_s: Option<u64>,
}

pub(crate) fn find(tx: &Connection, conversation: ConversationId) -> Result<Option<Profile>, Stop> {
    Ok(tx
        .prepare_cached("SELECT name, description, picture, timer_s FROM group_profile WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| {
            Ok(Profile { name: row.get(0)?, description: row.get(1)?, picture: row.get(2)?, timer_s: row.get(3)? })
        })
        .optional()?)
}

pub(crate) fn name(tx: &Connection, conversation: ConversationId) -> Result<Option<String>, Stop> {
    Ok(find(tx, conversation)?.and_then(|profile| profile.name))
}

/// Takes over what the entry at `seq` says; the newest counts.
pub(crate) fn put(step: &mut Step<'_>, conversation: ConversationId, seq: u64, profile: &Profile) -> Done {
    let changed = step
        .tx
        .prepare_cached(
            "INSERT INTO group_profile (conversation, name, description, picture, timer_s, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (conversation) DO UPDATE SET name = excluded.name, description = excluded.description,
                 picture = excluded.picture, timer_s = excluded.timer_s, seq = excluded.seq
             WHERE excluded.seq >= seq",
        )?
        .execute(params![
            conversation.as_bytes(),
            profile.name,
            profile.description,
            profile.picture,
            profile.timer_s,
            seq
        ])?;
    if changed > 0 {
        step.event(Event::ConversationChanged { conversation });
    }
    // Somebody answered.
    job::done(step.tx, Kind::Profile, conversation.as_bytes())
}

/// Somebody says how the group presents itself.
pub(crate) fn told(
    step: &mut Step<'_>,
    conversation: ConversationId,
    seq: u64,
    by: AccountId,
    profile: &Profile,
) -> Done {
    let Some(rules) = member::rules(step.tx, conversation)? else { return Ok(()) };
    // Who may only repeat it may do that.
    let repeated = find(step.tx, conversation)?.is_some_and(|known| known == *profile);
    let unknown = find(step.tx, conversation)?.is_none();
    if rules.allows(rules.editing, by) || repeated || unknown {
        return put(step, conversation, seq, profile);
    }
    tracing::info!(%conversation, seq, "somebody who may not tells a profile of the group");
    Ok(())
}

/// Says it (again) to everybody.
pub(crate) fn say(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let Some(profile) = find(step.tx, conversation)? else { return Ok(()) };
    let Profile { name, description, picture, timer_s } = profile;
    let message = step.fresh_id();
    let content = Content::GroupProfile { name, description, picture, timer_s };
    outbox::queue(step, conversation, message, &content, None)?;
    Ok(())
}

/// Asks the members.
pub(crate) fn request(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let message = step.fresh_id();
    outbox::queue(step, conversation, message, &Content::ProfileRequest, None)?;
    Ok(())
}

/// Somebody asks.
pub(crate) fn requested(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    if find(step.tx, conversation)?.is_none() {
        return Ok(());
    }
    let own = step.me()?.sender.account;
    let (_, members) = member::rank(step.tx, conversation, own)?;
    let span_ms = (members * ANSWER_MS_PER_MEMBER).clamp(ANSWER_MIN_MS, ANSWER_MAX_MS);
    let at_ms = step.now_ms + step.rng.next_u64() % span_ms;
    job::add_at(step.tx, Kind::Profile, conversation.as_bytes(), at_ms)
}

/// Nobody answered so far.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    job::done(step.tx, Kind::Profile, conversation.as_bytes())?;
    say(step, conversation)
}
