//! Durable work that is not a message: a row per kind and subject, tried until it is done.
//!
//! A row says *that* something is to be done; how far it got is told by other tables (`own_commit`, `mls_group`) or not
//! at all, and then it begins again.

use crate::step::{Done, Step, Stop};
use rusqlite::{Connection, OptionalExtension, params};

/// The names are stored: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// keys.rs: upload the credential. Subject: empty.
    Credential,
    /// keys.rs: upload key packages. Subject: empty. Payload: the body.
    Packages,
    /// block.rs: ask for the list. Subject: empty.
    Blocks,
    /// address_book/share.rs: tell the server who one's contacts are, if it has to know. Subject: empty.
    Contacts,
    /// backup/run.rs: make the account's backup. Subject: empty.
    Backup,
    /// archive/import.rs: take over an archive. Subject: empty.
    Import,
    /// archive/send.rs: history for a new device. Subject: the first manifest's name. Payload: how far it got.
    SendHistory,
    /// create.rs: make a direct conversation. Subject: conversation.
    Create,
    /// group/work.rs: change a group. Subject: conversation.
    Group,
    /// group/welcome.rs: come into a group by a welcome. Subject: conversation.
    Welcome,
    /// group/profile.rs: say how a group presents itself. Subject: conversation.
    Profile,
    /// group/leave.rs: ask who left before this device came in. Subject: conversation.
    Leavers,
    /// rejoin.rs: come into the group by external commit. Subject: conversation.
    Rejoin,
    /// rotate.rs: new keys for this device. Subject: conversation.
    Rotate,
    /// rollback.rs: join anew once the log is read. Subject: conversation.
    Renew,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Packages => "packages",
            Self::Blocks => "blocks",
            Self::Contacts => "contacts",
            Self::Backup => "backup",
            Self::Import => "import",
            Self::SendHistory => "send_history",
            Self::Create => "create",
            Self::Rejoin => "rejoin",
            Self::Group => "group",
            Self::Welcome => "welcome",
            Self::Profile => "profile",
            Self::Leavers => "leavers",
            Self::Rotate => "rotate",
            Self::Renew => "renew",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Credential,
            Self::Packages,
            Self::Blocks,
            Self::Contacts,
            Self::Backup,
            Self::Import,
            Self::SendHistory,
            Self::Create,
            Self::Rejoin,
            Self::Group,
            Self::Welcome,
            Self::Profile,
            Self::Leavers,
            Self::Rotate,
            Self::Renew,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub kind: Kind,
    pub subject: Vec<u8>,
    pub payload: Option<Vec<u8>>,
}

/// Adds it, unless it is there; one that waits is tried at once.
pub(crate) fn add(tx: &Connection, kind: Kind, subject: &[u8], payload: Option<&[u8]>) -> Done {
    tx.prepare_cached(
        "INSERT INTO job (kind, subject, payload) VALUES (?1, ?2, ?3)
         ON CONFLICT (kind, subject) DO UPDATE SET payload = coalesce(excluded.payload, payload), next_try_ms = 0",
    )?
    .execute(params![kind.name(), subject, payload])?;
    Ok(())
}

/// Adds it for later; one that is there stays as it is.
pub(crate) fn add_at(tx: &Connection, kind: Kind, subject: &[u8], at_ms: u64) -> Done {
    tx.prepare_cached(
        "INSERT INTO job (kind, subject, next_try_ms) VALUES (?1, ?2, ?3) ON CONFLICT (kind, subject) DO NOTHING",
    )?
    .execute(params![kind.name(), subject, at_ms])?;
    Ok(())
}

/// It waits until then, and that is no failure.
pub(crate) fn put_off(tx: &Connection, kind: Kind, subject: &[u8], at_ms: u64) -> Done {
    tx.prepare_cached("UPDATE job SET next_try_ms = ?3 WHERE kind = ?1 AND subject = ?2")?.execute(params![
        kind.name(),
        subject,
        at_ms
    ])?;
    Ok(())
}

/// All of this kind whose time has not come look again, at once.
pub(crate) fn put_off_all(tx: &Connection, kind: Kind) -> Done {
    tx.prepare_cached("UPDATE job SET next_try_ms = 0 WHERE kind = ?1 AND attempts = 0")?.execute([kind.name()])?;
    Ok(())
}

pub(crate) fn subjects(tx: &Connection, kind: Kind) -> Result<Vec<Vec<u8>>, Stop> {
    Ok(tx
        .prepare_cached("SELECT subject FROM job WHERE kind = ?1 ORDER BY job")?
        .query_map([kind.name()], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

pub(crate) fn payload(tx: &Connection, kind: Kind, subject: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
    let payload: Option<Option<Vec<u8>>> = tx
        .prepare_cached("SELECT payload FROM job WHERE kind = ?1 AND subject = ?2")?
        .query_row(params![kind.name(), subject], |row| row.get(0))
        .optional()?;
    Ok(payload.flatten())
}

/// How often it was tried in vain.
pub(crate) fn attempts(tx: &Connection, kind: Kind, subject: &[u8]) -> Result<u32, Stop> {
    Ok(tx
        .prepare_cached("SELECT attempts FROM job WHERE kind = ?1 AND subject = ?2")?
        .query_row(params![kind.name(), subject], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

/// Whether it was tried in vain and its time to be tried again has not come.
pub(crate) fn waits(step: &Step<'_>, kind: Kind, subject: &[u8]) -> Result<bool, Stop> {
    Ok(step
        .tx
        .prepare_cached("SELECT 1 FROM job WHERE kind = ?1 AND subject = ?2 AND attempts > 0 AND next_try_ms > ?3")?
        .exists(params![kind.name(), subject, step.now_ms])?)
}

/// Whether there is one of this kind that was never tried in vain.
pub(crate) fn is_fresh(tx: &Connection, kind: Kind) -> Result<bool, Stop> {
    Ok(tx.prepare_cached("SELECT 1 FROM job WHERE kind = ?1 AND attempts = 0")?.exists([kind.name()])?)
}

pub(crate) fn exists(tx: &Connection, kind: Kind, subject: &[u8]) -> Result<bool, Stop> {
    Ok(tx
        .prepare_cached("SELECT 1 FROM job WHERE kind = ?1 AND subject = ?2")?
        .exists(params![kind.name(), subject])?)
}

pub(crate) fn done(tx: &Connection, kind: Kind, subject: &[u8]) -> Done {
    tx.prepare_cached("DELETE FROM job WHERE kind = ?1 AND subject = ?2")?.execute(params![kind.name(), subject])?;
    Ok(())
}

/// It did not work out; try again later.
pub(crate) fn later(step: &mut Step<'_>, kind: Kind, subject: &[u8], at_least_ms: Option<u64>) -> Done {
    let attempts: Option<u32> = step
        .tx
        .prepare_cached("SELECT attempts FROM job WHERE kind = ?1 AND subject = ?2")?
        .query_row(params![kind.name(), subject], |row| row.get(0))
        .optional()?;
    let Some(attempts) = attempts else { return Ok(()) };
    let next_try_ms = step.retry_at(attempts, at_least_ms);
    step.tx
        .prepare_cached("UPDATE job SET attempts = ?3, next_try_ms = ?4 WHERE kind = ?1 AND subject = ?2")?
        .execute(params![kind.name(), subject, attempts.saturating_add(1), next_try_ms])?;
    Ok(())
}

/// Those whose time has come.
pub(crate) fn due(tx: &Connection, now_ms: u64) -> Result<Vec<Job>, Stop> {
    let rows: Vec<(String, Vec<u8>, Option<Vec<u8>>)> = tx
        .prepare_cached("SELECT kind, subject, payload FROM job WHERE next_try_ms <= ?1 ORDER BY job")?
        .query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows
        .into_iter()
        .filter_map(|(kind, subject, payload)| Some(Job { kind: Kind::from_name(&kind)?, subject, payload }))
        .collect())
}

/// When the next one that waits is to be tried.
pub(crate) fn next_try_ms(tx: &Connection, now_ms: u64) -> Result<Option<u64>, Stop> {
    Ok(tx
        .prepare_cached("SELECT min(next_try_ms) FROM job WHERE next_try_ms > ?1")?
        .query_row([now_ms], |row| row.get(0))?)
}
