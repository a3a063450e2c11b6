//! `tidings backup check`

use super::ask_for_secret;
use crate::Common;
use crate::command::with;
use crate::failure::Failure;
use crate::show::out;
use clap::Args;
use tidings_client::Command;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings backup check

Compared on this machine; the server learns nothing of it. `tidings backup status` reminds you once a month.")]
pub struct Check {}

impl Check {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let secret = ask_for_secret("recovery code or passphrase").await?;
        with(common, &[], async |handle| {
            handle.call(Command::ProveBackupSecret { secret }).await?;
            out::line("That is it.")
        })
        .await
    }
}
