//! The new device's part: show a code, look for what was left, redeem it.
//!
//! Nothing of it is durable until the login is: a program that ends meanwhile shows a new code.

use super::bundle::{self, Bundle};
use super::code::Code;
use super::seal;
use crate::account;
use crate::archive::import;
use crate::contact;
use crate::error::ClientError;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::job;
use crate::memory::{Memory, Purpose};
use crate::reply::Reply;
use crate::step::{Done, Step};
use rand_chacha::rand_core::RngCore;
use rusqlite::params;
use tidings_proto::http::{LinkBlob, LinkOpened, RedeemLink, Tokens};
use tidings_proto::id::LinkId;
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;
use tidings_proto::problem::Code as ProblemCode;
use zeroize::Zeroizing;

/// How often the new device looks whether something was left for it.
const LOOK_EVERY_MS: u64 = 1_500;

/// A code is shown.
pub(crate) struct Waiting {
    link: LinkId,
    secret: Zeroizing<[u8; 32]>,
    /// Its key is made of this.
    seed: Zeroizing<[u8; 32]>,
    device_name: String,
    expires_ms: u64,
    next_ms: u64,
    /// What was left, once it was opened.
    bundle: Option<Box<Bundle>>,
    /// Who waits for the end.
    reply: Option<CallId>,
}

pub(crate) fn begin(step: &mut Step<'_>, reply: CallId, device_name: String) -> Done {
    if step.mem.me.is_some() {
        return Err(ClientError::AlreadyLoggedIn.into());
    }
    if device_name.len() > DEVICE_NAME_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: device_name.len(), max: DEVICE_NAME_MAX_BYTES }.into());
    }
    http::ask_unsigned(step, Purpose::OpenLink { reply, device_name }, "/v1/links", HttpBody::Empty)
}

pub(crate) fn opened(step: &mut Step<'_>, reply: CallId, device_name: String, answer: Answer) -> Done {
    let opened = match http::read::<LinkOpened>(answer) {
        Ok(opened) => opened,
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    let (mut secret, mut seed) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    step.rng.fill_bytes(secret.as_mut());
    step.rng.fill_bytes(seed.as_mut());
    let Some(public) = seal::public_key(&seed) else {
        let detail = "no key could be made".into();
        step.reply(reply, Err(ClientError::Database { detail }));
        return Ok(());
    };
    let code = Code { link: opened.link, secret: secret.clone(), public }.encode();
    end(step, Err(ClientError::NotAllowed { why: "another code is shown now".into() }));
    step.mem.link = Some(Waiting {
        link: opened.link,
        secret,
        seed,
        device_name,
        expires_ms: step.now_ms.saturating_add(opened.expires_in_s.saturating_mul(1_000)),
        next_ms: step.now_ms + LOOK_EVERY_MS,
        bundle: None,
        reply: None,
    });
    step.reply(reply, Ok(Reply::LinkCode { code, expires_in_s: opened.expires_in_s }));
    Ok(())
}

/// The reply comes when this device is linked, or never will be.
pub(crate) fn wait_for_end(step: &mut Step<'_>, reply: CallId) -> Done {
    match &mut step.mem.link {
        Some(waiting) if waiting.reply.is_none() => {
            waiting.reply = Some(reply);
            Ok(())
        }
        Some(_) => Err(ClientError::NotAllowed { why: "somebody waits for it already".into() }.into()),
        // It may have been linked before this was asked.
        None if step.mem.me.is_some() && step.mem.login.is_none() => {
            if job::exists(step.tx, job::Kind::Packages, &[])? {
                step.mem.login = Some(reply);
            } else {
                let sender = step.me()?.sender;
                step.reply(reply, Ok(Reply::LoggedIn { account: sender.account, device: sender.device }));
            }
            Ok(())
        }
        None if step.mem.me.is_some() => Err(ClientError::AlreadyLoggedIn.into()),
        None => Err(ClientError::NotAllowed { why: "no code is shown".into() }.into()),
    }
}

/// It is over; whoever waits is told.
fn end(step: &mut Step<'_>, result: Result<Reply, ClientError>) {
    if let Some(Waiting { reply: Some(reply), .. }) = step.mem.link.take() {
        step.reply(reply, result);
    }
}

/// At the end of each input: looks, if it is time to.
pub(crate) fn tick(step: &mut Step<'_>) -> Done {
    let busy = is_busy(step.mem);
    let now_ms = step.now_ms;
    let Some(waiting) = step.mem.link.as_mut().filter(|_| !busy) else { return Ok(()) };
    if now_ms >= waiting.expires_ms {
        end(step, Err(ClientError::NotAllowed { why: "the code has expired; show a new one".into() }));
        return Ok(());
    }
    if now_ms < waiting.next_ms {
        return Ok(());
    }
    waiting.next_ms = now_ms + LOOK_EVERY_MS;
    let path = format!("/v1/links/{}", waiting.link);
    let Some(bundle) = &waiting.bundle else {
        return http::ask_unsigned_with(step, Purpose::LookForLink, Method::Get, &path, HttpBody::Empty);
    };
    let redeem = RedeemLink { grant: bundle.grant.clone(), device_name: waiting.device_name.clone() };
    http::ask_unsigned(step, Purpose::RedeemLink, &format!("{path}/redeem"), http::json(&redeem))
}

fn is_busy(mem: &Memory) -> bool {
    mem.requests.is_open(|purpose| matches!(purpose, Purpose::LookForLink | Purpose::RedeemLink))
}

/// While an answer is on its way, it is what wakes.
pub(crate) fn wake_at_ms(mem: &Memory) -> Option<u64> {
    mem.link.as_ref().filter(|_| !is_busy(mem)).map(|waiting| waiting.next_ms.min(waiting.expires_ms))
}

/// Something was left, or not yet.
pub(crate) fn looked(step: &mut Step<'_>, answer: Answer) -> Done {
    let Some(waiting) = &mut step.mem.link else { return Ok(()) };
    let blob = match http::read::<LinkBlob>(answer) {
        Ok(LinkBlob { blob }) => blob,
        Err(failure) if failure.may_pass() || failure.code() == Some(ProblemCode::NotFound) => return Ok(()),
        Err(failure) => {
            end(step, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    let bundle = seal::open(waiting.link, &waiting.secret, &waiting.seed, blob.as_slice())
        .ok()
        .and_then(|bytes| Bundle::decode(&bytes))
        .filter(|bundle| bundle.identity_secret.len() == 32);
    let Some(bundle) = bundle else {
        let why = "what was left for this device is not for it, or was changed on its way; show a new code";
        end(step, Err(ClientError::NotAllowed { why: why.into() }));
        return Ok(());
    };
    waiting.bundle = Some(Box::new(bundle));
    waiting.next_ms = step.now_ms;
    tick(step)
}

/// The grant was redeemed: from here on this device is one of the account's.
pub(crate) fn redeemed(step: &mut Step<'_>, answer: Answer) -> Done {
    let Some(Waiting { bundle: Some(bundle), .. }) = &step.mem.link else { return Ok(()) };
    let bundle = bundle.clone();
    let tokens = match http::read::<Tokens>(answer) {
        Ok(tokens) if step.mem.me.is_none() && tokens.account == bundle.account => tokens,
        Ok(_) => {
            let why = "the server signs this device in as somebody else; show a new code";
            end(step, Err(ClientError::NotAllowed { why: why.into() }));
            return Ok(());
        }
        // It is tried again, as long as the code is good.
        Err(failure) if failure.may_pass() => return Ok(()),
        Err(failure) => {
            end(step, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    let secret: Zeroizing<[u8; 32]> =
        Zeroizing::new(bundle.identity_secret.as_slice().try_into().expect("its length was checked"));
    let reply = step.mem.link.take().and_then(|waiting| waiting.reply);
    account::sign_in(step, &tokens, &bundle.phone, Some(secret))?;
    step.mem.login = reply;
    bundle::keep(step, &bundle.people)?;
    if let Some(history) = &bundle.history
        && let Ok(key) = <[u8; 32]>::try_from(history.key.as_slice())
    {
        import::expect(step, &key, history.blob)?;
    }
    if let Some(name) = &bundle.name {
        contact::ensure(step.tx, bundle.account)?;
        step.tx
            .prepare_cached("UPDATE contact SET name = ?2 WHERE account = ?1")?
            .execute(params![bundle.account.as_bytes(), name])?;
    }
    Ok(())
}

/// Who waits for the end.
pub(crate) fn owed(mem: &Memory) -> Option<CallId> {
    mem.link.as_ref().and_then(|waiting| waiting.reply)
}
