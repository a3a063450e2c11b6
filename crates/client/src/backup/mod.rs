//! The account's backup, made by this device: an archive at the server under a random key, which is wrapped under a
//! secret that only the person has.
//!
//! ```text
//! secret (recovery code or passphrase) ── Argon2id ──┬── wraps the backup key        (secret.rs)
//!                                                    └── proof, which the server counts
//! backup key ── seals manifests ── name and open chunks                             (archive/)
//! ```
//!
//! [`set`]: choose the secret. [`run`]: the durable job that packs what changed, uploads it, and completes the backup; it
//! goes on where it was cut. [`restore`]: from a login to the account's old identity, history and chats. [`file`]: the
//! same archive as a file. One device makes an account's backup: the one on which the secret was set last.

pub(crate) mod file;
pub(crate) mod restore;
pub(crate) mod row;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod set;

use crate::account::Given;
use crate::command::Command;
use crate::http::Answer;
use crate::io::CallId;
use crate::reply::Reply;
use crate::step::{Done, Step, Stop};
use tidings_proto::id::BlobId;

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// set.rs
    SetKey {
        reply: CallId,
    },
    EndKey {
        reply: CallId,
    },
    /// run.rs
    Look,
    Chunk {
        blob: BlobId,
    },
    Manifest {
        blob: BlobId,
    },
    Complete {
        manifest: BlobId,
    },
    List,
    Delete {
        blob: BlobId,
    },
    /// restore.rs
    Login {
        reply: CallId,
        phone: String,
    },
    Found {
        reply: CallId,
    },
    RestoreLook,
    RestoreOpen,
    RestoreManifest,
}

impl Ask {
    /// The command that waits for it.
    pub fn reply(&self) -> Option<CallId> {
        match self {
            Self::SetKey { reply } | Self::EndKey { reply } | Self::Login { reply, .. } | Self::Found { reply } => {
                Some(*reply)
            }
            _ => None,
        }
    }
}

/// What is not in the database. Losing it costs a repetition.
#[derive(Default)]
pub(crate) struct State {
    pub stage: Stage,
    /// Commands that wait for the end of the run.
    pub replies: Vec<CallId>,
    /// The manifest that is on its way.
    pub manifest: Option<BlobId>,
    pub setting: Option<set::Setting>,
    pub restoring: Option<restore::Restoring>,
    pub file: Option<file::Writing>,
    pub reading: Option<file::Reading>,
    /// The state in a file is taken over until then; the logs are not read meanwhile.
    pub state_by_ms: Option<u64>,
}

impl State {
    /// Commands that wait, beside those that an [`Ask`] names.
    pub fn owed(&self) -> impl Iterator<Item = CallId> {
        self.replies.iter().copied().chain(self.restoring.as_ref().map(|restoring| restoring.reply))
    }
}

/// How far a run of the job got. After a restart it begins again; what is stored is not sent twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    Idle,
    Messages,
    State,
    Manifest,
    Complete,
    Tidy,
}

pub(crate) fn is_one(command: &Command) -> bool {
    matches!(
        command,
        Command::SetBackupSecret { .. }
            | Command::ProveBackupSecret { .. }
            | Command::EndBackup
            | Command::BackUp
            | Command::BackupStatus
            | Command::BackUpToFile { .. }
            | Command::LoginToRestore { .. }
            | Command::StartAnew
            | Command::Restore { .. }
            | Command::RestoreFromFile { .. }
            | Command::RestorePart { .. }
    )
}

/// `None`: the reply comes later.
pub(crate) fn perform(step: &mut Step<'_>, id: CallId, command: Command) -> Result<Option<Reply>, Stop> {
    match command {
        Command::SetBackupSecret { passphrase } => set::set(step, id, passphrase).map(|()| None),
        Command::ProveBackupSecret { secret } => set::prove(step, &secret).map(Some),
        Command::EndBackup => set::end(step, id).map(|()| None),
        Command::BackUp => run::now(step, id).map(|()| None),
        Command::BackupStatus => Ok(Some(Reply::Backup(row::view(step)?))),
        Command::BackUpToFile { part } => file::write(step, part).map(Some),
        Command::LoginToRestore { phone, code, device_name, pin, forgot_pin } => {
            restore::login(step, id, Given { phone, code, device_name, pin, forgot_pin }).map(|()| None)
        }
        Command::StartAnew => restore::start_anew(step, id).map(|()| None),
        Command::Restore { secret } => restore::restore(step, id, secret).map(|()| None),
        Command::RestoreFromFile { head, secret } => file::open(step, id, &head, secret),
        Command::RestorePart { index, bytes } => file::part(step, index, bytes.as_slice()).map(Some),
        _ => Ok(None),
    }
}

pub(crate) fn answered(step: &mut Step<'_>, ask: Ask, answer: Answer) -> Done {
    match ask {
        Ask::SetKey { reply } => set::was_set(step, reply, answer),
        Ask::EndKey { reply } => set::ended(step, reply, answer),
        Ask::Look => run::looked(step, answer),
        Ask::Chunk { blob } => run::chunk_stored(step, blob, answer),
        Ask::Manifest { blob } => run::manifest_stored(step, blob, answer),
        Ask::Complete { manifest } => run::completed(step, manifest, answer),
        Ask::List => run::listed(step, answer),
        Ask::Delete { blob } => run::deleted(step, blob, answer),
        Ask::Login { reply, phone } => restore::login_answered(step, reply, phone, answer),
        Ask::Found { reply } => restore::found(step, reply, answer),
        Ask::RestoreLook => restore::looked(step, answer),
        Ask::RestoreOpen => restore::opened(step, answer),
        Ask::RestoreManifest => restore::manifest(step, answer),
    }
}
