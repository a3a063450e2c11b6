//! The old device's part: seal the account's identity key and a login for the device whose code a person gave.

use super::bundle::{self, Bundle};
use super::code::Code;
use super::seal;
use crate::archive::send;
use crate::contact;
use crate::conversation;
use crate::create;
use crate::error::ClientError;
use crate::http::{self, Answer};
use crate::io::{CallId, Method};
use crate::memory::Purpose;
use crate::mls::Identity;
use crate::reply::Reply;
use crate::step::{Done, Step};
use rand_chacha::rand_core::RngCore;
use sha2::{Digest, Sha256};
use tidings_proto::http::PutLink;
use tidings_proto::id::{BlobId, ConversationId};
use tidings_proto::problem::Code as ProblemCode;
use zeroize::Zeroizing;

pub(crate) fn approve(step: &mut Step<'_>, reply: CallId, code: &str) -> Done {
    let code = Code::parse(code)?;
    let account = step.me()?.sender.account;
    let phone = step.me()?.phone.clone();
    let Some(identity_secret) = Identity::secret(step.tx)? else { return Err(ClientError::NotLoggedIn.into()) };
    let name = match step.name {
        Some(name) => Some(name.to_owned()),
        None => contact::find(step.tx, account)?.and_then(|own| own.name),
    };
    let mut grant = Zeroizing::new([0; 32]);
    step.rng.fill_bytes(grant.as_mut());
    let mut nonce = [0; 24];
    step.rng.fill_bytes(&mut nonce);
    let offer = send::offer(step)?;
    let history = offer.blob;
    let bundle = Bundle {
        account,
        phone,
        name,
        identity_secret: identity_secret.to_vec().into(),
        grant: grant.to_vec().into(),
        history: Some(offer),
        people: bundle::known(step.tx, account)?,
    };
    let blob = seal::seal(&code, nonce, &bundle.encode())
        .ok_or(ClientError::NotAllowed { why: "this code has a key that is none".into() })?;
    let grant_hash = Sha256::digest(grant.as_slice()).to_vec();
    let body = http::json(&PutLink { blob: blob.into(), grant_hash: grant_hash.into() });
    http::ask(step, Purpose::ApproveLink { reply, history }, Method::Put, format!("/v1/links/{}", code.link), body)
}

pub(crate) fn approved(step: &mut Step<'_>, reply: CallId, history: BlobId, answer: Answer) -> Done {
    match &answer {
        Ok(_) => send::approved(step, history)?,
        // The answer may have got lost; if so, the job begins by itself.
        Err(failure) if failure.may_pass() => {}
        Err(_) => send::withdraw(step, history)?,
    }
    match answer {
        Ok(_) => {
            have_self_chat(step)?;
            step.reply(reply, Ok(Reply::Done));
        }
        Err(failure) if failure.code() == Some(ProblemCode::NotFound) => {
            let why = "this code has expired, or is of another server; show a new one on the new device";
            step.reply(reply, Err(ClientError::NotAllowed { why: why.into() }));
        }
        Err(failure) => step.reply(reply, Err(failure.to_client_error())),
    }
    Ok(())
}

/// One's devices meet in the self chat: its group is the list of them that no server can change, and what one of them
/// has to tell the others goes there.
fn have_self_chat(step: &mut Step<'_>) -> Done {
    let own = step.me()?.sender.account;
    let conversation = ConversationId::self_chat(own);
    let row = conversation::ensure(step, conversation, Some(own))?;
    if row.created { Ok(()) } else { create::want(step, conversation) }
}
