//! `tidings backup`: make the account's backup, and choose what opens it.

mod check;
pub mod file;
mod off;
mod set;
mod status;

use super::{settled, unexpected, with};
use crate::Common;
use crate::failure::Failure;
use crate::show::{out, text};
use clap::{Args, Subcommand};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;
use tidings_client::{Command, Reply};

/// A first backup of a long life may take a while.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(600);
/// Nobody types a longer secret.
const SECRET_MAX_BYTES: u64 = 2_048;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tidings backup set-code                     makes a recovery code, and the first backup
  tidings backup                              now, instead of at its time
  tidings backup --to anna.tidings-backup     into a file too
  tidings backup status

The backup is encrypted before it leaves this machine: identity, contacts, chats and messages, and no keys of chats that
still go on. Once a code or passphrase is set, it is renewed every few hours while a tidings command runs. Bring it back
with: tidings restore +31…"
)]
pub struct Backup {
    #[command(subcommand)]
    what: Option<What>,
    /// Write the backup into this file, which opens with the same code or passphrase
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Make a recovery code that opens the backup: the safest way
    SetCode(set::SetCode),
    /// Choose a passphrase that opens the backup
    SetPassphrase(set::SetPassphrase),
    /// See whether you still know the code or passphrase
    Check(check::Check),
    /// Show what is backed up
    Status(status::Status),
    /// Make no backup any more
    Off(off::Off),
}

impl Backup {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        match (self.what, self.to) {
            (Some(What::SetCode(it)), _) => it.run(common).await,
            (Some(What::SetPassphrase(it)), _) => it.run(common).await,
            (Some(What::Check(it)), _) => it.run(common).await,
            (Some(What::Status(it)), _) => it.run(common).await,
            (Some(What::Off(it)), _) => it.run(common).await,
            (None, Some(path)) => file::write(common, &path).await,
            (None, None) => now(common).await,
        }
    }
}

async fn now(common: &Common) -> Result<(), Failure> {
    with(common, &[], async |handle| match settled(handle, Command::BackUp, BACKUP_TIMEOUT).await? {
        Reply::Backup(backup) => {
            out::line(&format!("The backup is complete: {}.", status::amount(backup.messages, backup.bytes)))
        }
        other => Err(unexpected(&other)),
    })
    .await
}

/// Reads a line on a thread of its own; `what` is asked for on a terminal.
pub async fn ask_for_secret(what: &str) -> Result<String, Failure> {
    let what = what.to_owned();
    tokio::task::spawn_blocking(move || {
        if std::io::stdin().is_terminal() {
            eprint!("{}: ", text::line(&what));
            std::io::stderr().flush()?;
        }
        let hidden = Hidden::begin();
        let mut line = String::new();
        std::io::stdin().lock().take(SECRET_MAX_BYTES).read_line(&mut line)?;
        drop(hidden);
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        if line.trim().is_empty() {
            return Err(Failure::with(format!("no {what} was given"), "Type it, or pipe it in."));
        }
        Ok(line)
    })
    .await
    .map_err(|_| Failure::new("the terminal could not be read"))?
}

/// While it lives, the terminal does not show what is typed.
#[cfg(unix)]
struct Hidden(rustix::termios::Termios);

#[cfg(unix)]
impl Hidden {
    fn begin() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let former = tcgetattr(&stdin).ok()?;
        let mut hidden = former.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&stdin, OptionalActions::Now, &hidden).ok()?;
        Some(Self(former))
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Err(error) = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0) {
            tracing::warn!(%error, "the terminal cannot be put back");
        }
    }
}

/// There the terminal shows what is typed.
#[cfg(not(unix))]
struct Hidden;

#[cfg(not(unix))]
impl Hidden {
    fn begin() -> Option<Self> {
        None
    }
}
