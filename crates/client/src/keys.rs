//! This device's keys at the server: the credential, and the key packages by which others add it while it is away.
//!
//! Packages are made, stored and put into a job in one transaction; the upload is repeated until it is answered. They
//! are counted once in a while and after each use, filled up when few are left, and all renewed before they get old.

use crate::address_book::share;
use crate::block;
use crate::http::{self, Answer};
use crate::io::{HttpBody, Method};
use crate::job::{self, Job};
use crate::memory::Purpose;
use crate::mls::key_package::RENEW_AFTER_S;
pub(crate) use crate::mls::key_package::STOCK;
use crate::reply::Reply;
use crate::setting::{self, Setting};
use crate::step::{Done, Step};
use tidings_proto::http::{KeyPackageCount, PutCredential, PutKeyPackages};

/// Fewer than this at the server, and the stock is filled up.
const REFILL_BELOW: usize = 20;
/// How often they are counted if none was used.
const CHECK_EVERY_MS: u64 = 6 * 3_600 * 1_000;

/// Makes key packages, and the job that uploads them.
pub(crate) fn make(step: &mut Step<'_>, single_use: usize, last_resort: bool) -> Done {
    let now_s = step.now_s();
    let made = step.mls()?.make_key_packages(step.tx, single_use, last_resort, now_s)?;
    let (last, single): (Vec<_>, Vec<_>) = made.into_iter().partition(|package| package.last_resort);
    let body = PutKeyPackages {
        packages: single.into_iter().map(|package| package.payload.into()).collect(),
        last_resort: last.into_iter().next().map(|package| package.payload.into()),
    };
    if last_resort {
        setting::put(step.tx, Setting::KeysRenewedMs, step.now_ms)?;
    }
    setting::put(step.tx, Setting::KeysCheckedMs, step.now_ms)?;
    let body = serde_json::to_vec(&body).expect("our types always serialize");
    job::add(step.tx, job::Kind::Packages, &[], Some(&body))
}

pub(crate) fn upload_credential(step: &mut Step<'_>) -> Done {
    if step.mem.requests.is_open(|purpose| *purpose == Purpose::Credential) {
        return Ok(());
    }
    let credential = step.mls()?.identity().credential.as_bytes().to_vec();
    let body = http::json(&PutCredential { credential: credential.into() });
    http::ask(step, Purpose::Credential, Method::Put, "/v1/keys/credential", body)
}

pub(crate) fn credential_answered(step: &mut Step<'_>, answer: Answer) -> Done {
    match answer {
        Ok(_) => {
            job::done(step.tx, job::Kind::Credential, &[])?;
            share::want(step)?;
            block::want_list(step)
        }
        Err(failure) => {
            if !failure.may_pass() {
                tell_login(step, Err(failure.to_client_error()));
            }
            job::later(step, job::Kind::Credential, &[], failure.retry_after_ms())
        }
    }
}

/// After the credential, which the server checks them against.
pub(crate) fn upload_packages(step: &mut Step<'_>, job: Job) -> Done {
    let busy = step.mem.requests.is_open(|purpose| *purpose == Purpose::Packages);
    if busy || job::exists(step.tx, job::Kind::Credential, &[])? {
        return Ok(());
    }
    let body = HttpBody::Json(job.payload.unwrap_or_default());
    http::ask(step, Purpose::Packages, Method::Post, "/v1/keys/packages", body)
}

pub(crate) fn packages_answered(step: &mut Step<'_>, answer: Answer) -> Done {
    match answer {
        Ok(_) => {
            job::done(step.tx, job::Kind::Packages, &[])?;
            let sender = step.me()?.sender;
            tell_login(step, Ok(Reply::LoggedIn { account: sender.account, device: sender.device }));
            Ok(())
        }
        Err(failure) if failure.may_pass() => job::later(step, job::Kind::Packages, &[], failure.retry_after_ms()),
        Err(failure) => {
            tracing::warn!(code = ?failure.code(), "the server does not take these key packages");
            tell_login(step, Err(failure.to_client_error()));
            job::done(step.tx, job::Kind::Packages, &[])
        }
    }
}

fn tell_login(step: &mut Step<'_>, result: Result<Reply, crate::error::ClientError>) {
    if let Some(reply) = step.mem.login.take() {
        step.reply(reply, result);
    }
}

/// One was used: count them soon.
pub(crate) fn one_used(step: &Step<'_>) -> Done {
    Ok(setting::put(step.tx, Setting::KeysCheckedMs, 0)?)
}

/// Counts them, if it is time to.
pub(crate) fn check(step: &mut Step<'_>) -> Done {
    let checked_ms: u64 = setting::get(step.tx, Setting::KeysCheckedMs)?.unwrap_or(0);
    let early = step.now_ms < checked_ms.saturating_add(CHECK_EVERY_MS);
    if early
        || step.mem.requests.is_open(|purpose| *purpose == Purpose::PackageCount)
        || job::exists(step.tx, job::Kind::Packages, &[])?
    {
        return Ok(());
    }
    setting::put(step.tx, Setting::KeysCheckedMs, step.now_ms)?;
    http::ask(step, Purpose::PackageCount, Method::Get, "/v1/keys/packages", HttpBody::Empty)
}

pub(crate) fn counted(step: &mut Step<'_>, answer: Answer) -> Done {
    let Ok(count) = http::read::<KeyPackageCount>(answer) else { return Ok(()) };
    let renewed_ms: u64 = setting::get(step.tx, Setting::KeysRenewedMs)?.unwrap_or(0);
    if step.now_ms >= renewed_ms.saturating_add(RENEW_AFTER_S * 1_000) {
        step.mls()?.discard_old_key_packages(step.tx, step.now_s())?;
        return make(step, STOCK, true);
    }
    let left = count.count as usize;
    if left < REFILL_BELOW || !count.last_resort {
        return make(step, STOCK.saturating_sub(left), !count.last_resort);
    }
    Ok(())
}
