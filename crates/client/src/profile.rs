//! How people present themselves to those whom they talk to: a name, a line about themselves, a small picture. It travels
//! in messages, for the server must not know it. One's own stands in one's own row of `contact`, and reaches one's other
//! devices through the self chat.

use crate::address_book;
use crate::chat_state::{self, Shown};
use crate::compose::With;
use crate::contact;
use crate::content::{self, ABOUT_MAX_BYTES, Content, NAME_MAX_BYTES, PICTURE_MAX_BYTES};
use crate::conversation::{self, Row};
use crate::error::ClientError;
use crate::event::Event;
use crate::group;
use crate::group::notice::At;
use crate::outbox;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest as _, Sha256};
use tidings_proto::entry::ConversationKind;
use tidings_proto::http::Audience;
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::payload::Payload;

/// Of a picture's SHA-256, in its name.
const PICTURE_ID_BYTES: usize = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Empty: this person took it away.
    pub name: Option<String>,
    pub about: Option<String>,
    pub picture: Option<Payload>,
}

/// As this device knows it.
pub(crate) fn find(tx: &Connection, account: AccountId) -> Result<Profile, Stop> {
    let found = tx
        .prepare_cached("SELECT name, about, picture FROM contact WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| {
            Ok(Profile { name: row.get(0)?, about: row.get(1)?, picture: picture(row.get(2)?) })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn put(tx: &Connection, account: AccountId, profile: &Profile) -> Done {
    let Profile { name, about, picture } = profile;
    contact::ensure(tx, account)?;
    tx.prepare_cached("UPDATE contact SET name = ?2, about = ?3, picture = ?4 WHERE account = ?1")?
        .execute(params![account.as_bytes(), name, about, picture.as_ref().map(Payload::as_slice)])?;
    Ok(())
}

fn mine(step: &Step<'_>) -> Result<Profile, Stop> {
    let mut profile = find(step.tx, step.me()?.sender.account)?;
    if profile.name.is_none() {
        profile.name = step.name.filter(|name| name.len() <= NAME_MAX_BYTES).map(str::to_owned);
    }
    Ok(profile)
}

/// What goes out, to those who get to see it.
pub(crate) fn content(step: &Step<'_>, to: &Row) -> Result<Content, Stop> {
    let phone = Some(step.me()?.phone.clone()).filter(|phone| !phone.is_empty());
    let Profile { name, about, picture } = mine(step)?;
    let about = if is_for(step, Shown::About, to)? { about } else { None };
    let picture = if is_for(step, Shown::Picture, to)? { picture } else { None };
    Ok(Content::Profile { phone, name: name.filter(|name| !name.is_empty()), about, picture })
}

/// A group is for everyone: whoever is in it, or comes, would see it too.
fn is_for(step: &Step<'_>, what: Shown, to: &Row) -> Result<bool, Stop> {
    Ok(match (chat_state::shown_to(step, what)?, to.kind, to.account) {
        (Audience::Everyone, ..) | (_, ConversationKind::SelfChat, _) => true,
        (Audience::Contacts, ConversationKind::Direct, Some(account)) => address_book::has(step.tx, account)?,
        _ => false,
    })
}

/// Who gets to see a part of it from now on; who had it and may not any more is told that it is gone.
pub(crate) fn show_to(step: &mut Step<'_>, changes: &[(Shown, Audience)]) -> Done {
    let own = ConversationId::self_chat(step.me()?.sender.account);
    let mut changed = false;
    for (what, to) in changes {
        if chat_state::shown_to(step, *what)? != *to {
            chat_state::set(step, own, &chat_state::Setting::Show { what: *what, to: *to })?;
            changed = true;
        }
    }
    if changed { tell(step, true) } else { Ok(()) }
}

/// Whether there is something that contacts get to see and others do not.
pub(crate) fn is_for_contacts(step: &Step<'_>) -> Result<bool, Stop> {
    Ok(chat_state::shown_to(step, Shown::Picture)? == Audience::Contacts
        || chat_state::shown_to(step, Shown::About)? == Audience::Contacts)
}

pub(crate) fn own(step: &Step<'_>) -> Result<Reply, Stop> {
    let Profile { name, about, picture } = mine(step)?;
    Ok(Reply::Profile { name: name.filter(|name| !name.is_empty()), about, picture })
}

/// The command. What is not given stays; empty takes it away. Everybody is told to whom it was told before.
pub(crate) fn set(
    step: &mut Step<'_>,
    name: Option<String>,
    about: Option<String>,
    picture: Option<Payload>,
) -> Result<Reply, Stop> {
    let mut profile = mine(step)?;
    if let Some(name) = name {
        profile.name = Some(one_line(&name, NAME_MAX_BYTES)?);
    }
    if let Some(about) = about {
        profile.about = Some(one_line(&about, ABOUT_MAX_BYTES)?).filter(|about| !about.is_empty());
    }
    if let Some(picture) = picture {
        profile.picture = checked_picture(picture)?;
    }
    put(step.tx, step.me()?.sender.account, &profile)?;
    tell(step, false)?;
    Ok(Reply::Done)
}

/// To whom it was told before. `wide`: also where another device of one's own may have done so, since something was said there.
fn tell(step: &mut Step<'_>, wide: bool) -> Done {
    let told: Vec<ConversationId> = step
        .tx
        .prepare_cached(
            "SELECT c.conversation FROM conversation c WHERE c.created = 1 AND c.standing = 0
             AND (c.profile_told = 1 OR c.kind = 2
                 OR (?1 AND EXISTS (SELECT 1 FROM message m WHERE m.conversation = c.conversation AND m.own = 1)))",
        )?
        .query_map([wide], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    for conversation in told {
        if conversation::is_blocked(step.tx, conversation)? {
            // They learn it with the next message to them.
            conversation::set_profile_told(step.tx, conversation, false)?;
            continue;
        }
        let Some(row) = conversation::find(step.tx, conversation)? else { continue };
        let message = step.fresh_id();
        outbox::queue(step, conversation, message, &content(step, &row)?, None)?;
    }
    Ok(())
}

/// Somebody told theirs, and claims a number. In the self chat it is one's own, from another device.
pub(crate) fn told(step: &mut Step<'_>, at: At, account: AccountId, phone: Option<&str>, profile: &Profile) -> Done {
    let conversation = at.conversation;
    let own = account == step.me()?.sender.account;
    if own && conversation::find(step.tx, conversation)?.is_none_or(|row| row.kind != ConversationKind::SelfChat) {
        return Ok(());
    }
    let fine = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
    let profile = Profile {
        name: profile.name.as_ref().map(|name| name.trim().to_owned()).filter(fine),
        about: profile.about.clone().filter(fine),
        picture: profile.picture.clone(),
    };
    put(step.tx, account, &profile)?;
    step.event(Event::ConversationChanged { conversation });
    if own { Ok(()) } else { contact::claimed(step, account, phone) }
}

/// Of a group, or of another person, or one's own in the self chat.
pub(crate) fn picture_of(step: &Step<'_>, with: With) -> Result<Reply, Stop> {
    let me = step.me()?.sender.account;
    let picture = if with.conversation.may_be_group() {
        group::profile::find(step.tx, with.conversation)?.and_then(|profile| profile.picture)
    } else {
        find(step.tx, with.account.unwrap_or(me))?.picture
    };
    Ok(Reply::Picture { picture })
}

/// As a column has it.
pub(crate) fn picture(bytes: Option<Vec<u8>>) -> Option<Payload> {
    bytes.map(Payload::from)
}

/// Tells one picture from another.
pub(crate) fn picture_id(picture: &Payload) -> String {
    Sha256::digest(picture.as_slice()).iter().take(PICTURE_ID_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Empty takes it away.
pub(crate) fn checked_picture(picture: Payload) -> Result<Option<Payload>, ClientError> {
    let bytes = picture.len();
    if bytes > PICTURE_MAX_BYTES {
        return Err(ClientError::TooLong { bytes, max: PICTURE_MAX_BYTES });
    }
    if bytes > 0 && !content::is_picture(picture.as_slice()) {
        return Err(ClientError::NotAllowed { why: "a picture is WebP, JPEG or PNG".into() });
    }
    Ok(Some(picture).filter(|picture| !picture.is_empty()))
}

/// Trimmed.
pub(crate) fn one_line(text: &str, max: usize) -> Result<String, ClientError> {
    let text = text.trim();
    if text.len() > max {
        return Err(ClientError::TooLong { bytes: text.len(), max });
    }
    if text.chars().any(char::is_control) {
        return Err(ClientError::NotAllowed { why: "this has to be on one line".into() });
    }
    Ok(text.to_owned())
}
