//! The key packages of everybody who is to be added: some requests at a time, kept in memory until the intent is done.
//!
//! If the commit loses its race, the same packages are good for the next one: nobody could open the void welcome. A
//! restart claims anew; the former packages are wasted, which is what there are so many of them for.

use crate::http::{self, Answer};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::step::{Done, Step, Stop};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tidings_proto::entry::Sender;
use tidings_proto::http::Claimed;
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;

/// Requests on the way at once.
const PARALLEL: usize = 16;

pub(super) type Package = (Sender, Payload);

/// For the intent that is being worked off.
#[derive(Default)]
pub(crate) struct Claims {
    intent: i64,
    waiting: VecDeque<AccountId>,
    open: BTreeSet<AccountId>,
    got: BTreeMap<Sender, Payload>,
}

/// The packages of these accounts' devices, except this one; `None`: they are asked for, and the job goes on then.
pub(crate) fn ready(
    step: &mut Step<'_>,
    conversation: ConversationId,
    intent: i64,
    accounts: &BTreeSet<AccountId>,
) -> Result<Option<Vec<Package>>, Stop> {
    let known = step.mem.groups.claims.get(&conversation).is_some_and(|claims| claims.intent == intent);
    if !known {
        let waiting = accounts.iter().copied().collect();
        step.mem.groups.claims.insert(conversation, Claims { intent, waiting, ..Claims::default() });
    }
    pump(step, conversation)?;
    let Some(claims) = step.mem.groups.claims.get(&conversation) else { return Ok(None) };
    if !claims.waiting.is_empty() || !claims.open.is_empty() {
        return Ok(None);
    }
    let wanted = claims.got.iter().filter(|(device, _)| accounts.contains(&device.account));
    Ok(Some(wanted.map(|(device, package)| (*device, package.clone())).collect()))
}

/// A package is no good.
pub(crate) fn discard(step: &mut Step<'_>, conversation: ConversationId, device: Sender) {
    if let Some(claims) = step.mem.groups.claims.get_mut(&conversation) {
        claims.got.remove(&device);
    }
}

fn pump(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    loop {
        let Some(claims) = step.mem.groups.claims.get_mut(&conversation) else { return Ok(()) };
        if claims.open.len() >= PARALLEL {
            return Ok(());
        }
        let Some(account) = claims.waiting.pop_front() else { return Ok(()) };
        claims.open.insert(account);
        let path = format!("/v1/accounts/{account}/key-packages/claim");
        let purpose = Purpose::GroupClaim { conversation, account };
        http::ask(step, purpose, Method::Post, path, HttpBody::Empty)?;
    }
}

pub(crate) fn answered(step: &mut Step<'_>, conversation: ConversationId, account: AccountId, answer: Answer) -> Done {
    let me = step.me()?.sender;
    let Some(claims) = step.mem.groups.claims.get_mut(&conversation) else { return Ok(()) };
    if !claims.open.remove(&account) {
        return Ok(());
    }
    match http::read::<Claimed>(answer) {
        Ok(claimed) => {
            let devices = claimed.packages.into_iter().filter(|package| package.device != me.device);
            claims.got.extend(devices.map(|package| (Sender { account, device: package.device }, package.package)));
        }
        Err(failure) if failure.may_pass() && failure.code() != Some(Code::NoDevice) => {
            claims.waiting.push_back(account);
            return job::later(step, Kind::Group, conversation.as_bytes(), failure.retry_after_ms());
        }
        // One's own account has no other device: that is no reason to say anything.
        Err(_) if account == me.account => {}
        Err(_) => {
            let intent = claims.intent;
            step.mem.groups.left_out.entry(intent).or_default().push(account);
        }
    }
    pump(step, conversation)
}
