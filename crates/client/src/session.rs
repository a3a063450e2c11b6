//! The live connection: open it, greet, read the plan, keep it alive, and come back when it ends.
//!
//! ```text
//! Off ── logged in ──▶ Token ──▶ Connecting ──▶ Hello ──▶ Up
//!                        ▲            │           │        │   cut, silent, goodbye
//!                        └── Waiting ◀┴───────────┴────────┘   (backoff with jitter; NetworkChanged ends it)
//! ```
//!
//! While it is up, a silent line is pinged, and one that stays silent, or does not answer what it owes, is given up: a
//! half-open connection looks like a quiet one.

use crate::archive::import;
use crate::catch_up;
use crate::contact;
use crate::event::{Connection, Event};
use crate::group;
use crate::http::token;
use crate::io::Output;
use crate::job::{self, Kind};
use crate::memory::{Line, Memory, Session};
use crate::message::expiry;
use crate::outbox;
use crate::own;
use crate::presence;
use crate::receipt;
use crate::rollback;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use tidings_proto::frame::{ClientFrame, Plan};
use tidings_proto::limit::PING_INTERVAL_MS;
use tidings_proto::problem::{Code, Next};

/// From `Connect` to `Connected`, and from `hello` to the end of the plan.
const CONNECT_TIMEOUT_MS: u64 = 20_000;
const PLAN_TIMEOUT_MS: u64 = 20_000;
/// A line is pinged after so much silence, and given up after so much more.
const PING_AFTER_MS: u64 = PING_INTERVAL_MS - 5_000;
const PONG_TIMEOUT_MS: u64 = 10_000;
/// The server answers what it owes within this, or the line is given up.
const ANSWER_TIMEOUT_MS: u64 = 30_000;
/// How long to stay away after another connection of this device replaced this one.
const REPLACED_WAIT_MS: u64 = 60_000;

/// What the connection waited for is here.
pub(crate) fn go_on(session: &mut Session) {
    if matches!(session.line, Line::Waiting { .. }) {
        session.line = Line::Off;
    }
}

/// Before the rooms work: what time alone changes.
pub(crate) fn tick(step: &mut Step<'_>) -> Done {
    if step.mem.me.is_none() {
        return Ok(());
    }
    match step.mem.session.line {
        Line::Off => connect(step),
        Line::Waiting { until_ms } if step.now_ms >= until_ms => connect(step),
        Line::Connecting { by_ms } | Line::Hello { by_ms } if step.now_ms >= by_ms => give_up(step, None),
        Line::Up { heard_ms, pinged_ms } => keep_alive(step, heard_ms, pinged_ms),
        _ => Ok(()),
    }
}

fn keep_alive(step: &mut Step<'_>, heard_ms: u64, pinged_ms: Option<u64>) -> Done {
    let owed = step.mem.session.owed_since_ms.is_some_and(|since| step.now_ms >= since + ANSWER_TIMEOUT_MS);
    let silent = pinged_ms.is_some_and(|pinged| step.now_ms >= pinged + PONG_TIMEOUT_MS);
    if owed || silent {
        return give_up(step, None);
    }
    if pinged_ms.is_none() && step.now_ms >= heard_ms + PING_AFTER_MS {
        ping(step, heard_ms);
    }
    Ok(())
}

fn ping(step: &mut Step<'_>, heard_ms: u64) {
    step.mem.session.ping += 1;
    let nonce = step.mem.session.ping;
    step.mem.session.line = Line::Up { heard_ms, pinged_ms: Some(step.now_ms) };
    receipt::pinged(step);
    step.send(ClientFrame::Ping { nonce }, false);
}

fn connect(step: &mut Step<'_>) -> Done {
    if job::exists(step.tx, Kind::Credential, &[])? {
        // A device without a credential is nobody yet; keys.rs is about it.
        step.mem.session.line = Line::Off;
        return Ok(());
    }
    // The logs are read on from where the restored state stands in them: that comes first.
    if import::is_state_coming(step.tx)? {
        step.mem.session.line = Line::Off;
        return Ok(());
    }
    if let Some(until_ms) = step.mem.backup.state_by_ms.filter(|by_ms| step.now_ms < *by_ms) {
        step.mem.session.line = Line::Waiting { until_ms };
        return Ok(());
    }
    if token::fresh(step)?.is_none() {
        step.mem.session.line = Line::Token;
        return token::refresh(step);
    }
    step.mem.session.line = Line::Connecting { by_ms: step.now_ms + CONNECT_TIMEOUT_MS };
    step.out.push(Output::Connect);
    Ok(())
}

/// There is a token, or there is none for now.
pub(crate) fn token_answered(step: &mut Step<'_>, got: bool) -> Done {
    if step.mem.session.line != Line::Token {
        return Ok(());
    }
    if got {
        return connect(step);
    }
    wait(step, None);
    Ok(())
}

/// `Input::Connected`.
pub(crate) fn connected(step: &mut Step<'_>) -> Done {
    if !matches!(step.mem.session.line, Line::Connecting { .. }) {
        // Nobody waits for it (any more): the line that is wanted will be asked for.
        step.out.push(Output::Disconnect);
        return Ok(());
    }
    let Some(token) = setting::get(step.tx, Setting::AccessToken)? else { return give_up(step, None) };
    let since_ms = setting::get(step.tx, Setting::SinceMs)?.unwrap_or(0);
    step.mem.session.line = Line::Hello { by_ms: step.now_ms + PLAN_TIMEOUT_MS };
    let count = rollback::count_hello(step)?;
    step.send(ClientFrame::Hello { token, since_ms, count }, false);
    Ok(())
}

/// `Input::Disconnected`.
pub(crate) fn disconnected(step: &mut Step<'_>) {
    if matches!(step.mem.session.line, Line::Connecting { .. } | Line::Hello { .. } | Line::Up { .. }) {
        wait(step, None);
    }
}

/// `Input::NetworkChanged`.
pub(crate) fn network_changed(step: &mut Step<'_>) -> Done {
    step.mem.session.attempts = 0;
    match step.mem.session.line {
        Line::Waiting { .. } => connect(step),
        // Whether the line survived the change shows at once.
        Line::Up { heard_ms, pinged_ms: None } => {
            ping(step, heard_ms);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The line says nothing: end it, and come back.
pub(crate) fn give_up(step: &mut Step<'_>, at_least_ms: Option<u64>) -> Done {
    step.out.push(Output::Disconnect);
    wait(step, at_least_ms);
    Ok(())
}

/// After a fault: begins again then.
pub(crate) fn rest(mem: &mut Memory, until_ms: u64) {
    if mem.me.is_some() {
        mem.session.line = Line::Waiting { until_ms };
    }
    mem.session.wake_at_ms = Some(until_ms);
}

fn wait(step: &mut Step<'_>, at_least_ms: Option<u64>) {
    let attempts = step.mem.session.attempts;
    let until_ms = step.retry_at(attempts, at_least_ms);
    step.mem.session.attempts = attempts.saturating_add(1);
    step.mem.session.line = Line::Waiting { until_ms };
    forget_line(step.mem);
}

/// What was on the way on this line has no answer any more.
fn forget_line(mem: &mut Memory) {
    mem.logs = Default::default();
    mem.in_flight = Default::default();
    mem.unsent = Default::default();
    mem.session.owed_since_ms = None;
    mem.session.plan_now_ms = None;
}

/// A frame came: the line is alive.
pub(crate) fn heard(step: &mut Step<'_>) {
    if let Line::Up { heard_ms, pinged_ms } = &mut step.mem.session.line {
        *heard_ms = step.now_ms;
        *pinged_ms = None;
    }
}

/// The server answered something that it owed.
pub(crate) fn answered(step: &mut Step<'_>) {
    let waits = !step.mem.in_flight.appends.is_empty()
        || !step.mem.in_flight.commits.is_empty()
        || step.mem.logs.logs.values().any(|state| state.asked.is_some());
    step.mem.session.owed_since_ms = waits.then_some(step.now_ms);
}

pub(crate) fn plan(step: &mut Step<'_>, plan: &Plan) -> Done {
    if !matches!(step.mem.session.line, Line::Hello { .. }) {
        return Ok(());
    }
    if let Some(count) = plan.rolled_back {
        rollback::planned(step, count)?;
    }
    catch_up::plan(step, plan)?;
    if !plan.done {
        step.mem.session.line = Line::Hello { by_ms: step.now_ms + PLAN_TIMEOUT_MS };
        return Ok(());
    }
    step.mem.session.line = Line::Up { heard_ms: step.now_ms, pinged_ms: None };
    step.mem.session.attempts = 0;
    step.mem.session.plan_now_ms = Some(plan.now_ms);
    receipt::tell_again(step)?;
    contact::confirm_phones(step)
}

pub(crate) fn goodbye(step: &mut Step<'_>, code: Code, detail: &str, retry_after_ms: Option<u64>) -> Done {
    match (code, code.next()) {
        (Code::LoggedOut, _) => Err(Stop::LoggedOut { why: detail.to_owned() }),
        (Code::Replaced, _) => give_up(step, Some(REPLACED_WAIT_MS)),
        (_, Next::Authenticate) => {
            token::forget_access(step)?;
            give_up(step, retry_after_ms)
        }
        _ => give_up(step, retry_after_ms),
    }
}

/// At the end of an input: says what people see of the connection.
pub(crate) fn tell(step: &mut Step<'_>) -> Done {
    let caught_up = step.mem.session.is_up() && catch_up::is_idle(&step.mem.logs);
    let entering = step.mem.session.plan_now_ms.is_some() && group::welcome::is_entering(step)?;
    if caught_up
        && !entering
        && let Some(now_ms) = step.mem.session.plan_now_ms.take()
    {
        setting::put(step.tx, Setting::SinceMs, now_ms)?;
        step.event(Event::CaughtUp);
    }
    let state = state(step.mem);
    if step.mem.me.is_some() && step.mem.session.told != Some(state) {
        step.mem.session.told = Some(state);
        step.event(Event::Connection { state });
    }
    Ok(())
}

pub(crate) fn state(mem: &Memory) -> Connection {
    match mem.session.line {
        Line::Off | Line::Waiting { .. } => Connection::Offline,
        Line::Token | Line::Connecting { .. } => Connection::Connecting,
        Line::Hello { .. } => Connection::CatchingUp,
        Line::Up { .. } if mem.session.plan_now_ms.is_some() => Connection::CatchingUp,
        Line::Up { .. } => Connection::Live,
    }
}

/// When time alone will change something.
pub(crate) fn wake_at_ms(step: &Step<'_>) -> Result<Option<u64>, Stop> {
    if step.mem.me.is_none() {
        return Ok(None);
    }
    let up = step.mem.session.is_up();
    let line = match step.mem.session.line {
        Line::Off | Line::Token => None,
        Line::Waiting { until_ms } => Some(until_ms),
        Line::Connecting { by_ms } | Line::Hello { by_ms } => Some(by_ms),
        Line::Up { pinged_ms: Some(pinged_ms), .. } => Some(pinged_ms + PONG_TIMEOUT_MS),
        Line::Up { heard_ms, pinged_ms: None } => Some(heard_ms + PING_AFTER_MS),
    };
    let rest = [
        step.mem.session.owed_since_ms.map(|since_ms| since_ms + ANSWER_TIMEOUT_MS).filter(|_| up),
        step.mem.unsent.lazy_due_ms.filter(|_| up),
        job::next_try_ms(step.tx, step.now_ms)?,
        outbox::next_try_ms(step)?.filter(|_| up),
        expiry::next_ms(step.tx)?,
        presence::next_ms(step.mem).filter(|_| up),
        own::delete::wake_at_ms(step),
    ];
    Ok(rest.into_iter().flatten().chain(line).min())
}
