//! From a login to the account's old identity, history and chats.
//!
//! ```text
//! LoginToRestore ── tokens, kept ── is there a backup? ──▶ Reply::SignedIn
//!        ├── StartAnew: a new identity, as after any login
//!        └── Restore: Argon2id ── proof ── wrapped key ── manifest ──▶ the old identity, and an import
//! ```
//!
//! Between the two this device has tokens and no keys: nobody can encrypt for it, and it is in no conversation.

use super::Ask;
use super::row::{self, Row};
use super::secret::{self, Derived, Lock};
use super::set::wrong;
use crate::account::{self, Given};
use crate::archive::import;
use crate::archive::manifest::{self, Manifest};
use crate::error::ClientError;
use crate::http::{self, Answer, token};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
use crate::reply::Reply;
use crate::setting::{self, Setting};
use crate::step::{Done, Step, Stop};
use crate::view;
use serde::{Deserialize, Serialize};
use tidings_proto::backup::{Backup, OpenBackupKey, OpenedBackupKey};
use tidings_proto::http::Tokens;
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;
use zeroize::Zeroizing;

/// What a login gave to a device that has no keys yet: `Setting::SignedIn`, in JSON.
#[derive(Serialize, Deserialize)]
struct SignedIn {
    phone: String,
    tokens: Tokens,
}

/// A restore that is under way; it is begun again after a restart.
pub(crate) struct Restoring {
    pub reply: CallId,
    secret: Zeroizing<String>,
    derived: Option<Derived>,
    found: Option<Backup>,
    key: Option<(secret::BackupKey, Lock)>,
}

pub(crate) fn login(step: &mut Step<'_>, reply: CallId, given: Given) -> Done {
    let login = given.login(step)?;
    let phone = login.phone.clone();
    http::ask_unsigned(step, Purpose::Backup(Ask::Login { reply, phone }), "/v1/login", http::json(&login))
}

pub(crate) fn login_answered(step: &mut Step<'_>, reply: CallId, phone: String, answer: Answer) -> Done {
    let tokens = match http::read::<Tokens>(answer) {
        Ok(tokens) if step.mem.me.is_none() => tokens,
        Ok(_) => {
            step.reply(reply, Err(ClientError::AlreadyLoggedIn));
            return Ok(());
        }
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    token::store(step, &tokens)?;
    let signed_in = serde_json::to_string(&SignedIn { phone, tokens }).expect("our types always serialize");
    setting::put(step.tx, Setting::SignedIn, signed_in)?;
    http::ask(step, Purpose::Backup(Ask::Found { reply }), Method::Get, "/v1/backup", HttpBody::Empty)
}

pub(crate) fn found(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let backup = match http::read::<Backup>(answer) {
        Ok(backup) => backup.manifest.is_some().then_some(view::FoundBackup {
            secret: backup.kdf.secret,
            made_ms: backup.made_ms,
            retry_after_ms: backup.retry_after_ms,
        }),
        Err(failure) if failure.code() == Some(Code::NotFound) => None,
        Err(failure) => {
            step.reply(reply, Err(failure.to_client_error()));
            return Ok(());
        }
    };
    step.reply(reply, Ok(Reply::SignedIn { backup }));
    Ok(())
}

fn signed_in(step: &Step<'_>) -> Result<SignedIn, Stop> {
    if step.mem.me.is_some() {
        return Err(ClientError::AlreadyLoggedIn.into());
    }
    let text: Option<String> = setting::get(step.tx, Setting::SignedIn)?;
    let signed_in = text.and_then(|text| serde_json::from_str(&text).ok());
    signed_in.ok_or_else(|| ClientError::NotLoggedIn.into())
}

/// Whose device this is, or is about to be.
pub(super) fn account(step: &Step<'_>) -> Result<AccountId, Stop> {
    match &step.mem.me {
        Some(me) => Ok(me.sender.account),
        None => Ok(signed_in(step)?.tokens.account),
    }
}

/// With a new identity: contacts see that the safety number changed.
pub(crate) fn start_anew(step: &mut Step<'_>, reply: CallId) -> Done {
    let SignedIn { phone, tokens } = signed_in(step)?;
    setting::forget(step.tx, Setting::SignedIn)?;
    account::sign_in(step, &tokens, &phone, None)?;
    step.mem.login = Some(reply);
    Ok(())
}

pub(crate) fn restore(step: &mut Step<'_>, reply: CallId, secret: String) -> Done {
    signed_in(step)?;
    if step.mem.backup.restoring.is_some() {
        return Err(ClientError::NotAllowed { why: "a restore is under way".into() }.into());
    }
    let secret = Zeroizing::new(secret);
    step.mem.backup.restoring = Some(Restoring { reply, secret, derived: None, found: None, key: None });
    http::ask(step, Purpose::Backup(Ask::RestoreLook), Method::Get, "/v1/backup", HttpBody::Empty)
}

/// The command is over.
fn fail(step: &mut Step<'_>, error: ClientError) -> Done {
    if let Some(restoring) = step.mem.backup.restoring.take() {
        step.reply(restoring.reply, Err(error));
    }
    Ok(())
}

pub(crate) fn looked(step: &mut Step<'_>, answer: Answer) -> Done {
    let found = match http::read::<Backup>(answer) {
        Ok(found) => found,
        Err(failure) => return fail(step, failure.to_client_error()),
    };
    let Some(restoring) = &mut step.mem.backup.restoring else { return Ok(()) };
    let Some(derived) = secret::derive(&found.kdf, &restoring.secret) else {
        let why = "the server names parameters that no backup has".to_owned();
        return fail(step, ClientError::NotAllowed { why });
    };
    let body = http::json(&OpenBackupKey { proof: derived.proof.to_vec().into() });
    restoring.derived = Some(derived);
    restoring.found = Some(found);
    http::ask(step, Purpose::Backup(Ask::RestoreOpen), Method::Post, "/v1/backup/key/open", body)
}

pub(crate) fn opened(step: &mut Step<'_>, answer: Answer) -> Done {
    let opened = match http::read::<OpenedBackupKey>(answer) {
        Ok(opened) => opened,
        Err(failure) => return fail(step, failure.to_client_error()),
    };
    let account = signed_in(step)?.tokens.account;
    let Some(Restoring { derived: Some(derived), found: Some(found), key, .. }) = &mut step.mem.backup.restoring else {
        return Ok(());
    };
    let Some(opened_key) = secret::unwrap(derived, account, opened.wrapped.as_slice()) else {
        let kind = found.kdf.secret;
        return fail(step, wrong(kind));
    };
    *key = Some((opened_key, Lock { kdf: found.kdf.clone(), wrapped: opened.wrapped }));
    let Some(manifest) = found.manifest else {
        return fail(step, ClientError::NotAllowed { why: "no backup was completed yet".into() });
    };
    let path = format!("/v1/blobs/{manifest}");
    http::ask(step, Purpose::Backup(Ask::RestoreManifest), Method::Get, path, HttpBody::Empty)
}

pub(crate) fn manifest(step: &mut Step<'_>, answer: Answer) -> Done {
    let sealed = match answer {
        Ok(sealed) => sealed,
        Err(failure) => return fail(step, failure.to_client_error()),
    };
    let Some(Restoring { reply, found: Some(found), key: Some((key, lock)), .. }) = step.mem.backup.restoring.take()
    else {
        return Ok(());
    };
    let manifest = match manifest::open(&key, &sealed) {
        Ok(manifest) => manifest,
        Err(error) => {
            step.reply(reply, Err(ClientError::NotAllowed { why: error.to_string() }));
            return Ok(());
        }
    };
    if let Err(error) = take_identity(step, &manifest) {
        return match error {
            Stop::Tell(error) => {
                step.reply(reply, Err(error));
                Ok(())
            }
            other => Err(other),
        };
    }
    step.mem.login = Some(reply);
    // This device makes the backup from now on; its first run packs everything anew.
    let Backup { generation, manifest: newest, made_ms, .. } = found;
    let proved_ms = step.now_ms;
    let row = Row { key: key.clone(), lock, generation, manifest: newest, made_ms, stale: true, tidy: true, proved_ms };
    row::put(step.tx, &row)?;
    import::begin(step, &key, &manifest)
}

/// This device becomes one of the account that the manifest is of.
pub(super) fn take_identity(step: &mut Step<'_>, manifest: &Manifest) -> Done {
    let SignedIn { phone, tokens } = signed_in(step)?;
    if manifest.account != tokens.account {
        let why = "the backup is of another account than this number's".to_owned();
        return Err(ClientError::NotAllowed { why }.into());
    }
    let identity = manifest.identity.as_ref().and_then(|secret| <[u8; 32]>::try_from(secret.as_slice()).ok());
    let Some(identity) = identity.map(Zeroizing::new) else {
        return Err(ClientError::NotAllowed { why: "the backup has no identity key".into() }.into());
    };
    setting::forget(step.tx, Setting::SignedIn)?;
    account::sign_in(step, &tokens, &phone, Some(identity))
}
