//! Whom this person blocks.
//!
//! The server's list decides: it keeps back what blocked people say. `contact.blocked` follows it.
//!
//! * Changes go out one at a time, in the order in which they were asked for: of two on the way at once nobody could say
//!   which one holds in the end.
//! * Until a change is answered a durable job stands there to ask for the whole list. So also after a lost answer or a
//!   crash this device comes to know what holds; a new device begins with it.

use crate::address_book::share;
use crate::chat_state::sync::{self, Said};
use crate::command::{Command, Peer};
use crate::contact;
use crate::conversation;
use crate::event::Event;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::receipt;
use crate::rejoin;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use rusqlite::params;
use std::collections::BTreeSet;
use tidings_proto::http::Blocks;
use tidings_proto::id::{AccountId, ConversationId};

/// Blocks somebody, or takes it back.
pub(crate) fn set(step: &mut Step<'_>, reply: CallId, account: AccountId, blocked: bool) -> Done {
    if is_busy(step) {
        let who = Peer::Account(account);
        let command = if blocked { Command::Block { who } } else { Command::Unblock { who } };
        return contact::wait(step, reply, command);
    }
    want_list(step)?;
    let method = if blocked { Method::Put } else { Method::Delete };
    let purpose = Purpose::SetBlock { reply, account, blocked };
    http::ask(step, purpose, method, format!("/v1/blocks/{account}"), HttpBody::Empty)
}

/// Gives what is to be run again now.
pub(crate) fn was_set(
    step: &mut Step<'_>,
    reply: CallId,
    account: AccountId,
    blocked: bool,
    answer: Answer,
) -> Result<Vec<(CallId, Command)>, Stop> {
    match answer {
        Ok(_) => {
            job::done(step.tx, Kind::Blocks, &[])?;
            follow(step, account, blocked)?;
            sync::tell(step, &Said::Blocks)?;
            step.reply(reply, Ok(Reply::Done));
        }
        Err(failure) => step.reply(reply, Err(failure.to_client_error())),
    }
    Ok(waiting(step))
}

/// What this device knows may not be what holds.
pub(crate) fn want_list(step: &Step<'_>) -> Done {
    job::add(step.tx, Kind::Blocks, &[], None)
}

/// The job's next step.
pub(crate) fn ask(step: &mut Step<'_>) -> Done {
    // Before its credential is there a device is nobody.
    if is_busy(step) || job::exists(step.tx, Kind::Credential, &[])? {
        return Ok(());
    }
    http::ask(step, Purpose::Blocks, Method::Get, "/v1/blocks", HttpBody::Empty)
}

/// Gives what is to be run again now.
pub(crate) fn listed(step: &mut Step<'_>, answer: Answer) -> Result<Vec<(CallId, Command)>, Stop> {
    match http::read::<Blocks>(answer) {
        Ok(list) => {
            job::done(step.tx, Kind::Blocks, &[])?;
            let now = BTreeSet::from_iter(list.accounts);
            let before = known(step)?;
            for account in now.symmetric_difference(&before) {
                follow(step, *account, now.contains(account))?;
            }
        }
        Err(failure) => job::later(step, Kind::Blocks, &[], failure.retry_after_ms())?,
    }
    Ok(waiting(step))
}

fn is_busy(step: &Step<'_>) -> bool {
    step.mem.requests.is_open(|purpose| matches!(purpose, Purpose::Blocks | Purpose::SetBlock { .. }))
}

/// The changes that waited: the first of them goes out, and the others wait again.
fn waiting(step: &mut Step<'_>) -> Vec<(CallId, Command)> {
    contact::take_waiting(step, |command| {
        matches!(command, Command::Block { who: Peer::Account(_) } | Command::Unblock { who: Peer::Account(_) })
    })
}

fn known(step: &Step<'_>) -> Result<BTreeSet<AccountId>, Stop> {
    Ok(step
        .tx
        .prepare_cached("SELECT account FROM contact WHERE blocked = 1")?
        .query_map([], |row| Ok(AccountId::from_bytes(row.get(0)?)))?
        .collect::<Result<_, _>>()?)
}

/// The server has it so.
fn follow(step: &mut Step<'_>, account: AccountId, blocked: bool) -> Done {
    contact::ensure(step.tx, account)?;
    step.tx
        .prepare_cached("UPDATE contact SET blocked = ?2 WHERE account = ?1")?
        .execute(params![account.as_bytes(), blocked])?;
    share::changed(step.tx)?;
    let conversation = ConversationId::direct(step.me()?.sender.account, account);
    step.event(Event::ConversationChanged { conversation });
    match conversation::find(step.tx, conversation)?.filter(|row| row.created && !blocked) {
        Some(row) => {
            rejoin::reconsider(step, &row)?;
            // A commit that was refused meanwhile.
            job::put_off(step.tx, Kind::Group, conversation.as_bytes(), step.now_ms)?;
            receipt::unblocked(step, &row)
        }
        None => Ok(()),
    }
}
