//! Choosing the secret, proving that one still knows it, and ending the backup.

use super::row::{self, Row};
use super::secret::{self, BackupKey, Lock};
use super::{Ask, Stage};
use crate::archive::pack::BLOCK_MESSAGES;
use crate::error::ClientError;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::job::{self, Kind};
use crate::memory::Purpose;
use crate::reply::Reply;
use crate::step::{Done, Step};
use rand_chacha::rand_core::RngCore;
use tidings_proto::backup::{PutBackupKey, SecretKind};
use zeroize::Zeroizing;

/// What takes effect once the server has it.
pub(crate) struct Setting {
    key: BackupKey,
    lock: Lock,
    /// To be shown to the person, once.
    code: Option<Zeroizing<String>>,
}

/// `None`: a recovery code is generated.
pub(crate) fn set(step: &mut Step<'_>, reply: CallId, passphrase: Option<String>) -> Done {
    let account = step.me()?.sender.account;
    let (kind, secret, code) = match passphrase {
        Some(passphrase) => {
            secret::check(&passphrase)?;
            (SecretKind::Passphrase, Zeroizing::new(passphrase), None)
        }
        None => {
            let code = secret::generate(step.rng);
            (SecretKind::Code, code.clone(), Some(code))
        }
    };
    let key = match row::find(step.tx)? {
        // Chunks that are there stay good.
        Some(row) => row.key,
        None => {
            let mut key = BackupKey::default();
            step.rng.fill_bytes(key.as_mut());
            key
        }
    };
    let kdf = secret::fresh_kdf(step.rng, kind);
    let derived = secret::derive(&kdf, &secret).expect("our own parameters are within all bounds");
    let wrapped = secret::wrap(&derived, account, &key);
    let body = PutBackupKey { kdf: kdf.clone(), proof: derived.proof.to_vec().into(), wrapped: wrapped.clone() };
    step.mem.backup.setting = Some(Setting { key, lock: Lock { kdf, wrapped }, code });
    let purpose = Purpose::Backup(Ask::SetKey { reply });
    http::ask(step, purpose, Method::Put, "/v1/backup/key", http::json(&body))
}

pub(crate) fn was_set(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let setting = step.mem.backup.setting.take();
    match (answer, setting) {
        (Ok(_), Some(Setting { key, lock, code })) => {
            let former = row::find(step.tx)?;
            if former.is_none() {
                step.tx.execute(
                    "INSERT OR IGNORE INTO archive_dirty (block) SELECT DISTINCT local / ?1 FROM message",
                    [BLOCK_MESSAGES],
                )?;
            }
            let (generation, manifest, made_ms) =
                former.as_ref().map_or((0, None, 0), |row| (row.generation, row.manifest, row.made_ms));
            let tidy = former.as_ref().is_none_or(|row| row.tidy);
            let row = Row { key, lock, generation, manifest, made_ms, stale: true, tidy, proved_ms: step.now_ms };
            row::put(step.tx, &row)?;
            job::add(step.tx, Kind::Backup, &[], None)?;
            step.reply(reply, Ok(Reply::BackupSecret { code: code.map(|code| (*code).clone()) }));
        }
        (Ok(_), None) => step.reply(reply, Err(ClientError::NotAllowed { why: "two secrets were set at once".into() })),
        (Err(failure), _) => step.reply(reply, Err(failure.to_client_error())),
    }
    Ok(())
}

/// The person is asked now and then, so that they do not find out in the day of need.
pub(crate) fn prove(step: &mut Step<'_>, secret: &str) -> Result<Reply, crate::step::Stop> {
    let account = step.me()?.sender.account;
    let Some(row) = row::find(step.tx)? else { return Err(no_backup().into()) };
    let key = secret::derive(&row.lock.kdf, secret)
        .and_then(|derived| secret::unwrap(&derived, account, row.lock.wrapped.as_slice()));
    if key.is_none() {
        return Err(wrong(row.lock.kdf.secret).into());
    }
    row::put(step.tx, &Row { proved_ms: step.now_ms, ..row })?;
    Ok(Reply::Done)
}

pub(crate) fn end(step: &mut Step<'_>, reply: CallId) -> Done {
    step.me()?;
    http::ask(step, Purpose::Backup(Ask::EndKey { reply }), Method::Delete, "/v1/backup/key", HttpBody::Empty)
}

pub(crate) fn ended(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    match answer {
        Ok(_) => {
            row::forget(step.tx)?;
            job::done(step.tx, Kind::Backup, &[])?;
            step.mem.backup.stage = Stage::Idle;
            step.reply(reply, Ok(Reply::Done));
        }
        Err(failure) => step.reply(reply, Err(failure.to_client_error())),
    }
    Ok(())
}

pub(super) fn no_backup() -> ClientError {
    ClientError::NotAllowed {
        why: "no backup is made on this device: set a passphrase or a recovery code first".into(),
    }
}

pub(super) fn wrong(kind: SecretKind) -> ClientError {
    let what = match kind {
        SecretKind::Code => "recovery code",
        SecretKind::Passphrase => "passphrase",
    };
    ClientError::NotAllowed { why: format!("this is not the {what} of the backup") }
}
