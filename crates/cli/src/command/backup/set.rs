//! `tidings backup set-code` and `set-passphrase`

use super::{BACKUP_TIMEOUT, ask_for_secret, status};
use crate::Common;
use crate::command::{settled, unexpected, with};
use crate::failure::Failure;
use crate::show::out;
use clap::Args;
use std::time::Duration;
use tidings_client::{Command, Reply};

const SET_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings backup set-code

The code is shown once: write it down and keep it where fire and thieves do not come. With it and your phone number you
get everything back; nobody can guess it, whoever has the backup. A former code or passphrase opens nothing any more.")]
pub struct SetCode {}

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings backup set-passphrase
  tidings backup set-passphrase < passphrase.txt

The server takes five wrong guesses and then makes each one wait. Against the server itself, or whoever takes its disk,
only the passphrase's own strength helps: five random words or more, or better a code (tidings backup set-code).")]
pub struct SetPassphrase {}

impl SetCode {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        set(common, None).await
    }
}

impl SetPassphrase {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let passphrase = ask_for_secret("passphrase").await?;
        set(common, Some(passphrase)).await
    }
}

async fn set(common: &Common, passphrase: Option<String>) -> Result<(), Failure> {
    with(common, &[], async |handle| {
        match settled(handle, Command::SetBackupSecret { passphrase }, SET_TIMEOUT).await? {
            Reply::BackupSecret { code: Some(code) } => {
                out::line(&format!("Recovery code: {code}"))?;
                eprintln!("Write it down: it is not shown again, and without it nobody can open the backup.");
            }
            Reply::BackupSecret { code: None } => out::line("The passphrase is set.")?,
            other => return Err(unexpected(&other)),
        }
        match settled(handle, Command::BackUp, BACKUP_TIMEOUT).await? {
            Reply::Backup(backup) => {
                eprintln!("The first backup is complete: {}.", status::amount(backup.messages, backup.bytes));
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    })
    .await
}
