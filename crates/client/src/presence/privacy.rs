//! What one shares of oneself, who finds one and who adds one to groups: the server keeps it, for it is the server that shows
//! it or not. Last seen and reading are reciprocal: what one does not share one does not see of others. One's own devices share
//! with each other what was read, whatever is set here. Picture and about are in messages: one's devices keep them back.

use crate::address_book::share;
use crate::chat_state::sync::{self, Said};
use crate::chat_state::{self, Shown};
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
use crate::profile;
use crate::reply::Reply;
use crate::step::{Done, Step};
use tidings_proto::frame::Presence;
use tidings_proto::http::{Audience, Privacy};
use tidings_proto::id::AccountId;

const PATH: &str = "/v1/me/privacy";

/// What is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub last_seen: Option<Audience>,
    pub read_receipts: Option<bool>,
    pub find_me: Option<Audience>,
    pub add_me: Option<Audience>,
    pub picture: Option<Audience>,
    pub about: Option<Audience>,
}

/// Looks, and changes what is to be changed.
pub(crate) fn ask(step: &mut Step<'_>, reply: CallId, wanted: Wanted) -> Done {
    step.me()?;
    http::ask(step, Purpose::Privacy { reply, wanted }, Method::Get, PATH, HttpBody::Empty)
}

pub(crate) fn answered(step: &mut Step<'_>, reply: CallId, wanted: Wanted, answer: Answer) -> Done {
    let before = match http::read::<Privacy>(answer) {
        Ok(privacy) => privacy,
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    let privacy = Privacy {
        last_seen: wanted.last_seen.unwrap_or(before.last_seen),
        read_receipts: wanted.read_receipts.unwrap_or(before.read_receipts),
        find_me: wanted.find_me.unwrap_or(before.find_me),
        add_me: wanted.add_me.unwrap_or(before.add_me),
    };
    if privacy == before {
        return done(step, reply, wanted, &privacy);
    }
    let body = http::json(&privacy);
    http::ask(step, Purpose::SetPrivacy { reply, wanted, privacy }, Method::Put, PATH, body)
}

pub(crate) fn was_set(step: &mut Step<'_>, reply: CallId, wanted: Wanted, privacy: Privacy, answer: Answer) -> Done {
    if let Err(failure) = answer {
        step.reply(reply, Err(failure.to_client_error()));
        return Ok(());
    }
    share::set(step, &privacy)?;
    sync::tell(step, &Said::Privacy)?;
    done(step, reply, wanted, &privacy)
}

/// Picture and about are for this device to keep back.
fn done(step: &mut Step<'_>, reply: CallId, wanted: Wanted, privacy: &Privacy) -> Done {
    let shown = [(Shown::Picture, wanted.picture), (Shown::About, wanted.about)];
    let changes: Vec<(Shown, Audience)> = shown.into_iter().filter_map(|(what, to)| Some((what, to?))).collect();
    profile::show_to(step, &changes)?;
    let Privacy { last_seen, read_receipts, find_me, add_me } = *privacy;
    let picture = chat_state::shown_to(step, Shown::Picture)?;
    let about = chat_state::shown_to(step, Shown::About)?;
    step.reply(reply, Ok(Reply::Privacy { last_seen, read_receipts, find_me, add_me, picture, about }));
    Ok(())
}

/// Asks once how somebody is.
pub(crate) fn ask_presence(step: &mut Step<'_>, reply: CallId, account: AccountId) -> Done {
    let path = format!("/v1/accounts/{account}/presence");
    http::ask(step, Purpose::Presence { reply }, Method::Get, path, HttpBody::Empty)
}

pub(crate) fn presence_answered(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<Presence>(answer) {
        Ok(presence) => Ok(Reply::Presence(super::shown(&presence))),
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}
