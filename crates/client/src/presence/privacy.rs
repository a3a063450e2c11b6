//! What one shares of oneself: the server keeps it, for it is the server that shows it or not. Reciprocal: what one does not
//! share one does not see of others. One's own devices share with each other what was read, whatever is set here.

use crate::command::Reply;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
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
}

/// Looks, and changes what is to be changed.
pub(crate) fn ask(step: &mut Step<'_>, reply: CallId, wanted: Wanted) -> Done {
    step.me()?;
    http::ask(step, Purpose::Privacy { reply, wanted }, Method::Get, PATH, HttpBody::Empty)
}

pub(crate) fn answered(step: &mut Step<'_>, reply: CallId, wanted: Wanted, answer: Answer) -> Done {
    let privacy = match http::read::<Privacy>(answer) {
        Ok(privacy) => privacy,
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    if wanted == Wanted::default() {
        let Privacy { last_seen, read_receipts } = privacy;
        step.reply(reply, Ok(Reply::Privacy { last_seen, read_receipts }));
        return Ok(());
    }
    let last_seen = wanted.last_seen.unwrap_or(privacy.last_seen);
    let read_receipts = wanted.read_receipts.unwrap_or(privacy.read_receipts);
    let purpose = Purpose::SetPrivacy { reply, last_seen, read_receipts };
    http::ask(step, purpose, Method::Put, PATH, http::json(&Privacy { last_seen, read_receipts }))
}

pub(crate) fn was_set(
    step: &mut Step<'_>,
    reply: CallId,
    last_seen: Audience,
    read_receipts: bool,
    answer: Answer,
) -> Done {
    let result = match answer {
        Ok(_) => Ok(Reply::Privacy { last_seen, read_receipts }),
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
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
