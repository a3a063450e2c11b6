//! Making a direct conversation, on the first message to a person.
//!
//! The durable job goes: list one's own other devices, claim their key packages and those of the other person's
//! devices, make the group and its first commit, and post it until it is answered. Up to the commit nothing is stored
//! and a restart begins again; from then on the commit is sent unchanged, for it may have been taken already.
//! After `no_device` it is made anew; should an earlier try have arrived all the same, that shows as `exists`.
//!
//! `exists` means that somebody was faster (or that an answer got lost). Then the log decides: its first entry is either
//! the own commit, or that of the winner, and with it goes the winner's welcome (membership.rs).

use crate::conversation;
use crate::http::{self, Answer};
use crate::io::{HttpBody, Method};
use crate::job::{self, Kind};
use crate::membership;
use crate::memory::Purpose;
use crate::mls::MlsError;
use crate::mls::key_package::Invitee;
use crate::outbox;
use crate::own_commit;
use crate::step::{Done, Step, Stop};
use tidings_proto::entry::Sender;
use tidings_proto::http::{AccountDevices, Claimed, ClaimedPackage, Create, Created};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::problem::Code;

/// Somebody wants to say something in a conversation that is not known to exist.
pub(crate) fn want(step: &Step<'_>, conversation: ConversationId) -> Done {
    if job::exists(step.tx, Kind::Create, conversation.as_bytes())? {
        return Ok(());
    }
    job::add(step.tx, Kind::Create, conversation.as_bytes(), None)
}

/// The job's next step.
pub(crate) fn run(step: &mut Step<'_>, conversation: ConversationId) -> Done {
    let Some(row) = conversation::find(step.tx, conversation)? else {
        return job::done(step.tx, Kind::Create, conversation.as_bytes());
    };
    let Some(peer) = row.account.filter(|_| !row.created) else {
        return job::done(step.tx, Kind::Create, conversation.as_bytes());
    };
    let busy = step.mem.requests.is_open(|purpose| match purpose {
        Purpose::OwnDevices { conversation: other, .. }
        | Purpose::ClaimOwn { conversation: other, .. }
        | Purpose::Claim { conversation: other, .. }
        | Purpose::Create { conversation: other } => *other == conversation,
        _ => false,
    });
    if busy {
        return Ok(());
    }
    if let Some(commit) = own_commit::find(step.tx, conversation)? {
        let body = http::json(&Create { commit });
        return http::ask(step, Purpose::Create { conversation }, Method::Post, "/v1/conversations", body);
    }
    let own = step.me()?.sender.account;
    let purpose = Purpose::OwnDevices { conversation, peer };
    http::ask(step, purpose, Method::Get, format!("/v1/accounts/{own}/devices"), HttpBody::Empty)
}

pub(crate) fn own_devices(step: &mut Step<'_>, conversation: ConversationId, peer: AccountId, answer: Answer) -> Done {
    let devices = match http::read::<AccountDevices>(answer) {
        Ok(devices) => devices.devices,
        Err(failure) => return job::later(step, Kind::Create, conversation.as_bytes(), failure.retry_after_ms()),
    };
    let me = step.me()?.sender;
    if devices.iter().all(|device| device.device == me.device) {
        return claim(step, conversation, peer, Vec::new());
    }
    let purpose = Purpose::ClaimOwn { conversation, peer };
    let path = format!("/v1/accounts/{}/key-packages/claim", me.account);
    http::ask(step, purpose, Method::Post, path, HttpBody::Empty)
}

pub(crate) fn own_claimed(step: &mut Step<'_>, conversation: ConversationId, peer: AccountId, answer: Answer) -> Done {
    match http::read::<Claimed>(answer) {
        Ok(claimed) => {
            let me = step.me()?.sender.device;
            let others = claimed.packages.into_iter().filter(|package| package.device != me).collect();
            claim(step, conversation, peer, others)
        }
        Err(failure) => job::later(step, Kind::Create, conversation.as_bytes(), failure.retry_after_ms()),
    }
}

fn claim(step: &mut Step<'_>, conversation: ConversationId, peer: AccountId, own: Vec<ClaimedPackage>) -> Done {
    if peer == step.me()?.sender.account {
        // The self chat: there is nobody else.
        return make(step, conversation, peer, &own, &[]);
    }
    let purpose = Purpose::Claim { conversation, peer, own };
    let path = format!("/v1/accounts/{peer}/key-packages/claim");
    http::ask(step, purpose, Method::Post, path, HttpBody::Empty)
}

pub(crate) fn claimed(
    step: &mut Step<'_>,
    conversation: ConversationId,
    peer: AccountId,
    own: &[ClaimedPackage],
    answer: Answer,
) -> Done {
    let subject = conversation.as_bytes();
    if !job::exists(step.tx, Kind::Create, subject)? {
        return Ok(());
    }
    let theirs = match http::read::<Claimed>(answer) {
        Ok(claimed) => claimed.packages,
        Err(failure) if failure.may_pass() => {
            return job::later(step, Kind::Create, subject, failure.retry_after_ms());
        }
        Err(failure) => {
            job::done(step.tx, Kind::Create, subject)?;
            return outbox::fail_all(step, conversation, &failure);
        }
    };
    make(step, conversation, peer, own, &theirs)
}

/// The group and its first commit, with these devices.
fn make(
    step: &mut Step<'_>,
    conversation: ConversationId,
    peer: AccountId,
    own: &[ClaimedPackage],
    theirs: &[ClaimedPackage],
) -> Done {
    let subject = conversation.as_bytes();
    let account = step.me()?.sender.account;
    let kind = conversation::kind(account, conversation);
    let invitee = |account: AccountId, claimed: &'_ ClaimedPackage| {
        (Sender { account, device: claimed.device }, claimed.package.clone())
    };
    let mut invitees: Vec<_> =
        own.iter().map(|c| invitee(account, c)).chain(theirs.iter().map(|c| invitee(peer, c))).collect();
    // A device whose package is bad is left out: it rejoins by itself.
    loop {
        if peer != account && !invitees.iter().any(|(device, _)| device.account == peer) {
            return job::later(step, Kind::Create, subject, None);
        }
        let list: Vec<Invitee<'_>> =
            invitees.iter().map(|(device, package)| Invitee { device: *device, package: package.as_slice() }).collect();
        match step.mls()?.create(step.tx, conversation, kind, &list, step.now_s()) {
            Ok(bundle) => {
                let message = step.fresh_id();
                own_commit::put(step.tx, &bundle.into_frame(conversation, message))?;
                return run(step, conversation);
            }
            Err(MlsError::BadKeyPackage { device, why }) => {
                tracing::warn!(device = %device.device, why, "a key package is not valid");
                invitees.retain(|(other, _)| *other != device);
            }
            Err(error @ MlsError::Database(_)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%conversation, %error, "a group cannot be made");
                return job::later(step, Kind::Create, subject, None);
            }
        }
    }
}

pub(crate) fn posted(step: &mut Step<'_>, conversation: ConversationId, answer: Answer) -> Done {
    let subject = conversation.as_bytes();
    match http::read::<Created>(answer) {
        Ok(created) => {
            job::done(step.tx, Kind::Create, subject)?;
            conversation::set_created(step.tx, conversation, true)?;
            let Some(commit) = own_commit::find(step.tx, conversation)? else { return Ok(()) };
            membership::placed(step, conversation, commit.message_id, created.seq, created.time_ms)
        }
        Err(failure) if matches!(failure.code(), Some(Code::Exists | Code::StaleEpoch | Code::Conflict)) => {
            job::done(step.tx, Kind::Create, subject)?;
            conversation::set_created(step.tx, conversation, true)?;
            step.mem.logs.behind(conversation.into(), 1);
            Ok(())
        }
        // A device that it adds has gone since: the next one is made with those that are there then.
        Err(failure) if failure.code() == Some(Code::NoDevice) => {
            own_commit::delete(step.tx, conversation)?;
            step.mls()?.drop_pending(step.tx, conversation)?;
            job::later(step, Kind::Create, subject, failure.retry_after_ms())
        }
        Err(failure) if failure.may_pass() => job::later(step, Kind::Create, subject, failure.retry_after_ms()),
        Err(failure) => {
            job::done(step.tx, Kind::Create, subject)?;
            own_commit::delete(step.tx, conversation)?;
            match step.mls()?.drop_pending(step.tx, conversation) {
                Ok(()) => outbox::fail_all(step, conversation, &failure),
                Err(error) => Err(Stop::from(error)),
            }
        }
    }
}
