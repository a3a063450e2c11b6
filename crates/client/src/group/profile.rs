//! How a group presents itself: name, description, picture, timer. It travels as a message, for the server must not know.
//!
//! Whoever adds people says it again right after the commit, for they cannot read what was said before. Whoever came by
//! a link asks for it, and the members answer, each after a random wait that grows with the group, unless somebody did.
//! What somebody says who may not edit it holds only until somebody says it who may: those do not stay silent because
//! another one has answered.

use super::member;
use super::notice::{self, At};
use crate::compose::{self, With};
use crate::content::{Content, DESCRIPTION_MAX_BYTES, NAME_MAX_BYTES};
use crate::error::ClientError;
use crate::event::Event;
use crate::job::{self, Kind};
use crate::outbox;
use crate::profile::{checked_picture, picture};
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use crate::view::{Notice, Person};
use rand_chacha::rand_core::RngCore;
use rusqlite::{Connection, OptionalExtension, params};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::payload::Payload;

/// How long the members wait with an answer: each somewhere within so much for every one of them, up to a bound.
const ANSWER_MS_PER_MEMBER: u64 = 200;
const ANSWER_MAX_MS: u64 = 60_000;
const ANSWER_MIN_MS: u64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub name: Option<String>,
    pub description: Option<String>,
    pub picture: Option<Payload>,
    pub timer_s: Option<u64>,
}

pub(crate) fn find(tx: &Connection, conversation: ConversationId) -> Result<Option<Profile>, Stop> {
    Ok(tx
        .prepare_cached("SELECT name, description, picture, timer_s FROM group_profile WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| {
            Ok(Profile {
                name: row.get(0)?,
                description: row.get(1)?,
                picture: picture(row.get(2)?),
                timer_s: row.get(3)?,
            })
        })
        .optional()?)
}

pub(crate) fn name(tx: &Connection, conversation: ConversationId) -> Result<Option<String>, Stop> {
    Ok(find(tx, conversation)?.and_then(|profile| profile.name))
}

/// Takes over what `by` says at this place; the newest counts.
pub(crate) fn put(step: &mut Step<'_>, at: At, by: AccountId, profile: &Profile) -> Done {
    let At { conversation, seq, .. } = at;
    let before = find(step.tx, conversation)?;
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
            profile.picture.as_ref().map(Payload::as_slice),
            profile.timer_s,
            seq
        ])?;
    if changed > 0 {
        step.event(Event::ConversationChanged { conversation });
        if let Some(before) = before {
            notices(step, at, by, &before, profile)?;
        }
    }
    Ok(())
}

/// Each thing that is another one now.
fn notices(step: &mut Step<'_>, at: At, by: AccountId, before: &Profile, after: &Profile) -> Done {
    let person = Person::nameless(by);
    let mut said = Vec::new();
    if before.name != after.name {
        said.push(Notice::Renamed { by: person.clone(), name: after.name.clone() });
    }
    if before.description != after.description {
        said.push(Notice::Described { by: person.clone(), description: after.description.clone() });
    }
    if before.picture != after.picture {
        said.push(Notice::Pictured { by: person.clone() });
    }
    if before.timer_s != after.timer_s {
        said.push(Notice::TimerSet { by: person, seconds: after.timer_s });
    }
    for notice in said {
        notice::say(step, at, by, &notice)?;
    }
    Ok(())
}

/// As it was told last, also if that is still on its way.
fn newest(step: &Step<'_>, conversation: ConversationId) -> Result<Option<Profile>, Stop> {
    for content in outbox::untargeted(step.tx, conversation)?.into_iter().rev() {
        if let Content::GroupProfile { name, description, picture, timer_s } = content {
            return Ok(Some(Profile { name, description, picture, timer_s }));
        }
    }
    find(step.tx, conversation)
}

/// The command. An empty description or picture takes it away.
pub(crate) fn set(
    step: &mut Step<'_>,
    with: With,
    name: Option<String>,
    description: Option<String>,
    new_picture: Option<Payload>,
) -> Result<Reply, Stop> {
    let name = name.map(|name| checked_name(&name)).transpose()?;
    let description = description.map(|text| text.trim().to_owned());
    let bytes = description.as_ref().map_or(0, String::len);
    if bytes > DESCRIPTION_MAX_BYTES {
        return Err(ClientError::TooLong { bytes, max: DESCRIPTION_MAX_BYTES }.into());
    }
    let new_picture = new_picture.map(checked_picture).transpose()?;
    change(step, with, |profile| {
        profile.name = name.or(profile.name.take());
        if let Some(text) = description {
            profile.description = Some(text).filter(|text| !text.is_empty());
        }
        if let Some(picture) = new_picture {
            profile.picture = picture;
        }
    })
}

pub(super) fn checked_name(name: &str) -> Result<String, Stop> {
    let name = name.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(ClientError::NotAllowed { why: "a group needs a name, on one line".into() }.into());
    }
    if name.len() > NAME_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: name.len(), max: NAME_MAX_BYTES }.into());
    }
    Ok(name.to_owned())
}

/// A command changes it.
pub(crate) fn change(step: &mut Step<'_>, with: With, edit: impl FnOnce(&mut Profile)) -> Result<Reply, Stop> {
    let conversation = with.conversation;
    compose::open(step, with)?;
    let me = step.me()?.sender.account;
    let Some(rules) = member::rules(step.tx, conversation)? else {
        return Err(ClientError::NoSuchConversation.into());
    };
    if !rules.allows(rules.editing, me) {
        return Err(ClientError::NotAllowed { why: "only admins may change this group".into() }.into());
    }
    let before = newest(step, conversation)?.ok_or_else(|| ClientError::NotAllowed {
        why: "the group's profile did not come yet; try again soon".into(),
    })?;
    let mut profile = before.clone();
    edit(&mut profile);
    if profile == before {
        return Ok(Reply::Done);
    }
    let Profile { name, description, picture, timer_s } = profile;
    let message = step.fresh_id();
    outbox::queue(step, conversation, message, &Content::GroupProfile { name, description, picture, timer_s }, None)?;
    step.event(Event::ConversationChanged { conversation });
    Ok(Reply::Queued { message, conversation })
}

/// Somebody says how the group presents itself.
pub(crate) fn told(step: &mut Step<'_>, at: At, by: AccountId, profile: &Profile) -> Done {
    let At { conversation, seq, .. } = at;
    let Some(rules) = member::rules(step.tx, conversation)? else { return Ok(()) };
    if rules.allows(rules.editing, by) {
        put(step, at, by, profile)?;
        // Somebody answered.
        return job::done(step.tx, Kind::Profile, conversation.as_bytes());
    }
    let known = find(step.tx, conversation)?;
    // Who may only repeat it may do that. Whoever knows nothing yet takes their word until somebody says it who counts.
    if known.as_ref().is_none_or(|known| known == profile) {
        if known.is_none() {
            put(step, At { seq: 0, ..at }, by, profile)?;
        }
        let own = step.me()?.sender.account;
        let counts = rules.allows(rules.editing, own);
        return if counts { Ok(()) } else { job::done(step.tx, Kind::Profile, conversation.as_bytes()) };
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
