//! The PIN that a login on the account's number needs besides the code.
//!
//! When somebody says at a login that they forgot it, every device of the account finds that in its inbox, and tells the
//! person: `Event::LockReset`, and `Status::lock_reset_ms` as long as it lasts.

use super::Ask;
use crate::event::Event;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
use crate::reply::Reply;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use crate::view;
use tidings_proto::account::{Lock, PutLock};

pub(crate) fn set(step: &mut Step<'_>, reply: CallId, pin: String) -> Done {
    change(step, reply, Method::Put, "/v1/account/lock", http::json(&PutLock { pin }))
}

pub(crate) fn remove(step: &mut Step<'_>, reply: CallId) -> Done {
    change(step, reply, Method::Delete, "/v1/account/lock", HttpBody::Empty)
}

pub(crate) fn end_reset(step: &mut Step<'_>, reply: CallId) -> Done {
    change(step, reply, Method::Delete, "/v1/account/lock/reset", HttpBody::Empty)
}

fn change(step: &mut Step<'_>, reply: CallId, method: Method, path: &str, body: HttpBody) -> Done {
    step.me()?;
    http::ask(step, Purpose::Own(Ask::ChangeLock { reply }), method, path, body)
}

pub(crate) fn changed(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    if answer.is_ok() {
        // Whatever was changed, nobody waits for the lock to open any more.
        setting::forget(step.tx, Setting::LockResetMs)?;
    }
    let result = answer.map(|_| Reply::Done).map_err(|failure| failure.to_client_error());
    step.reply(reply, result);
    Ok(())
}

pub(crate) fn look(step: &mut Step<'_>, reply: CallId) -> Done {
    step.me()?;
    http::ask(step, Purpose::Own(Ask::Lock { reply }), Method::Get, "/v1/account/lock", HttpBody::Empty)
}

pub(crate) fn told(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<Lock>(answer) {
        Ok(Lock { on, set_ms, reset_ms }) => {
            match reset_ms {
                Some(at_ms) => setting::put(step.tx, Setting::LockResetMs, at_ms)?,
                None => setting::forget(step.tx, Setting::LockResetMs)?,
            }
            Ok(Reply::Lock(view::Lock { on, set_ms: on.then_some(set_ms), reset_ms }))
        }
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}

/// The inbox says that somebody forgot the PIN.
pub(crate) fn reset(step: &mut Step<'_>, opens_ms: u64) -> Done {
    if opens_ms <= step.now_ms {
        return Ok(());
    }
    setting::put(step.tx, Setting::LockResetMs, opens_ms)?;
    step.event(Event::LockReset { opens_ms });
    Ok(())
}

/// When the lock opens for somebody who has no PIN, as far as this device knows.
pub(crate) fn reset_ms(step: &Step<'_>) -> Result<Option<u64>, Stop> {
    Ok(setting::get(step.tx, Setting::LockResetMs)?.filter(|at_ms| *at_ms > step.now_ms))
}
